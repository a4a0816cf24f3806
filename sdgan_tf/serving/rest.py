"""The REST side of TF Serving, by the standard library.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2

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


class RestTransport:
    """Sends columns of JSON numbers, which keep every bit of a float32 both ways.

    Args:
        address: such as `http://localhost:8501`.
        model: as the server calls it.
        version: None for the newest.
    """

    def __init__(self, address: str, model: str, version: int | None):
        chosen = "" if version is None else f"/versions/{version}"
        self._url = f"{address.rstrip('/')}/v1/models/{quote(model, safe='')}{chosen}"

    def signatures(self, timeout: float) -> dict[str, Any]:
        """`SignatureDef` messages by name."""
        answer = self._send("/metadata", None, timeout)
        found = _part(_part(_part(answer, "metadata"), "signature_def"), "signature_def")
        return {
            name: json_format.ParseDict(
                signature, meta_graph_pb2.SignatureDef(), ignore_unknown_fields=True
            )
            for name, signature in found.items()
        }

    def predict(
        self, name: str, signature: Any, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """The outputs of one signature, by name."""
        columns = {key: value.tolist() for key, value in inputs.items()}
        body = {"signature_name": name, "inputs": columns}
        answer = self._send(":predict", json.dumps(body).encode(), timeout)
        outputs = _part(answer, "outputs")
        if len(signature.outputs) == 1:
            # A single output comes without its name.
            outputs = dict.fromkeys(signature.outputs, outputs)
        return {
            key: _array(_part(outputs, key), tf.dtypes.as_dtype(info.dtype))
            for key, info in signature.outputs.items()
        }

    def close(self) -> None:
        """Does nothing: every request has a connection of its own."""

    def _send(self, path: str, body: bytes | None, timeout: float) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ServingError(CODES.get(error.code, "UNKNOWN"), _reason(error)) from None
        except TimeoutError:
            raise ServingError("DEADLINE_EXCEEDED", f"no answer in {timeout:.3g} s") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            code = "DEADLINE_EXCEEDED" if isinstance(reason, TimeoutError) else "UNAVAILABLE"
            raise ServingError(code, f"{self._url}: {reason}") from None
        except ValueError as error:
            raise ServingError("UNKNOWN", f"the answer is not JSON: {error}") from None


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {text[:200]}".rstrip()


def _part(answer: Any, key: str) -> Any:
    if not isinstance(answer, dict) or key not in answer:
        raise ServingError("UNKNOWN", f"the answer has no {key!r}: is this TF Serving?")
    return answer[key]


def _array(values: Any, dtype: tf.DType) -> np.ndarray:
    if dtype == tf.string:
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    return np.array(values, dtype.as_numpy_dtype)
