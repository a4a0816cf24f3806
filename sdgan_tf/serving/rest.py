"""The REST side of TF Serving, by urllib3, which TensorFlow itself brings.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any
from urllib.parse import quote

import numpy as np
import tensorflow as tf
import urllib3
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

from sdgan_tf.serving.errors import ServingError

CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
TIMEOUTS = (TimeoutError, futures.TimeoutError)
JSON = {"Content-Type": "application/json"}
UNREAD = {"redirect": False, "preload_content": False, "decode_content": False}
RETRY = {
    "status_forcelist": [status for status, code in CODES.items() if code == "UNAVAILABLE"],
    "allowed_methods": None,
    "raise_on_status": False,
    "backoff_factor": 0.2,
}


class RestTransport:
    """Sends columns of JSON numbers, which keep every bit of a float32 both ways.

    Args:
        address: such as `http://localhost:8501`.
        model: as the server calls it.
        version: None for the newest.
        retries: how often a request is sent again after a transient error.
        max_bytes: an answer with more is refused.
    """

    def __init__(self, address: str, model: str, version: int | None, retries: int, max_bytes: int):
        chosen = "" if version is None else f"/versions/{version}"
        self._url = f"{address.rstrip('/')}/v1/models/{quote(model, safe='')}{chosen}"
        self._pool = urllib3.PoolManager()
        self._retries = retries
        self._max_bytes = max_bytes

    def signatures(self, timeout: float) -> dict[str, Any]:
        """`SignatureDef` messages by name."""
        answer = self._send("/metadata", None, timeout)
        messages = answer["metadata"]["signature_def"]["signature_def"]
        return {
            name: json_format.ParseDict(
                message, meta_graph_pb2.SignatureDef(), ignore_unknown_fields=True
            )
            for name, message in messages.items()
        }

    def predict(
        self, name: str, signature: Any, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """The outputs of one signature, by name."""
        columns = {key: value.tolist() for key, value in inputs.items()}
        body = {"signature_name": name, "inputs": columns}
        outputs = self._send(":predict", json.dumps(body).encode(), timeout)["outputs"]
        if len(signature.outputs) == 1:
            # A single output comes without its name.
            outputs = dict.fromkeys(signature.outputs, outputs)
        return {
            key: _array(outputs[key], tf.dtypes.as_dtype(info.dtype))
            for key, info in signature.outputs.items()
        }

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def _send(self, path: str, body: bytes | None, timeout: float) -> Any:
        try:
            status, text = _within(timeout, lambda: self._request(path, body, timeout))
        except (HTTPError, futures.TimeoutError) as error:
            # The last of several tries comes with the reason that it failed for.
            reason = getattr(error, "reason", error)
            # To urllib3 a refused connection is a time-out.
            if isinstance(reason, TIMEOUTS) and not isinstance(reason, NewConnectionError):
                raise ServingError("DEADLINE_EXCEEDED", f"no answer in {timeout:.3g} s") from None
            raise ServingError("UNAVAILABLE", f"{self._url}: {reason}") from None
        if status != 200:
            raise ServingError(CODES.get(status, "UNKNOWN"), _reason(status, text))
        return json.loads(text)

    def _request(self, path: str, body: bytes | None, timeout: float) -> tuple[int, bytes]:
        """Status and contents of the answer."""
        deadline = time.monotonic() + timeout

        class Retry(urllib3.Retry):
            def sleep(self, response: Any = None) -> None:
                # urllib3 would give each try the whole time anew.
                if time.monotonic() + self.get_backoff_time() >= deadline:
                    raise TimeoutError
                super().sleep()

        retries = Retry(self._retries, **RETRY)
        method = "GET" if body is None else "POST"
        text = bytearray()
        options = {"headers": JSON, "timeout": timeout, "retries": retries, **UNREAD}
        with self._pool.urlopen(method, self._url + path, body=body, **options) as response:
            while part := response.read1(2**16):
                text += part
                if len(text) > self._max_bytes:
                    most = f"{self._max_bytes:,} bytes (max_bytes)"
                    raise ServingError("RESOURCE_EXHAUSTED", f"the answer has more than {most}")
                if time.monotonic() > deadline:
                    raise TimeoutError
            return response.status, bytes(text)


def _within(seconds: float, function: Callable[[], Any]) -> Any:
    """What `function` returns, or a `futures.TimeoutError`, whatever it still waits for then: the
    look-up of a name, or a header that drips in, know no deadline.
    """
    future: futures.Future = futures.Future()

    def run() -> None:
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    # Python waits for the threads of an executor before it ends, for this one it does not.
    threading.Thread(target=run, daemon=True).start()
    return future.result(seconds)


def _reason(status: int, text: bytes) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        followed = " (redirects are not followed)" if 300 <= status < 400 else ""
        return f"HTTP {status}{followed} {text[:200].decode(errors='replace')}".rstrip()


def _array(values: Any, dtype: tf.DType) -> np.ndarray:
    if dtype == tf.string:
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    return np.array(values, dtype.as_numpy_dtype)
