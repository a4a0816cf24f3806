"""A client of TF Serving for the signatures that `export` writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.serving.errors import ServingError
from sdgan_tf.serving.rest import RestTransport
from sdgan_tf.serving.rpc import GrpcTransport

# gRPC tries five times at most.
MAX_RETRIES = 4


class Client:
    """Asks a server of a model, over gRPC or REST.

    What the server cannot use is refused here, with a message, before anything is sent; what the
    model takes is read from the server at the first call. Threads may share a client.

    Args:
        address: `localhost:8500` for gRPC, which is faster and needs the extra `serving`;
            `http://localhost:8501` or `https://...` for REST, which needs nothing more.
        model: the model's name on the server.
        version: a version's number; the newest by default.
        timeout: seconds that a call may take, with all its retries.
        retries: how often a request is sent again, 0 to 4 times, where the error is transient: the
            server starts, is replaced, or has a full queue. The waits double, to 1.6 seconds.
        max_rows: a request with more is refused. TF Serving takes no more than `max_batch_size` in
            the `batching.config` that `bin/export` writes: 64, or fewer where images are large.
        max_bytes: an answer of the server that has more is refused.

    Raises:
        ServingError: from all methods, where the server does not answer or refuses.
        ValueError: from all methods, for inputs that the model cannot take.

    Example:

        client = Client("localhost:8500", model="faces")
        images = client.sample(identity_seed=[3, 3], observation_seed=[1, 2])["images"]
    """

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None = None,
        timeout: float = 30.0,
        retries: int = MAX_RETRIES,
        max_rows: int = 64,
        max_bytes: int = 2**28,
    ):
        if timeout <= 0 or not 0 <= retries <= MAX_RETRIES or max_rows < 1 or max_bytes < 1:
            raise ValueError(
                "timeout is more than 0 seconds, max_rows and max_bytes are 1 or more, and retries "
                f"0 to {MAX_RETRIES}. Received: timeout={timeout}, retries={retries}, "
                f"max_rows={max_rows}, max_bytes={max_bytes}"
            )
        over_rest = address.startswith(("http://", "https://"))
        transport = RestTransport if over_rest else GrpcTransport
        self._transport = transport(address, model, version, retries, max_bytes)
        self._signatures: dict[str, Any] = {}
        self.timeout = timeout
        self.max_rows = max_rows

    def generate(self, identity: Any, observation: Any) -> np.ndarray:
        """Images of codes: float [n, d_i] and float [n, d_o] to uint8 [n, h, w, c], 0 to 255."""
        return self._ask("serving_default", identity=identity, observation=observation)["images"]

    def generate_png(self, identity: Any, observation: Any) -> list[bytes]:
        """The same as PNG files: n of them."""
        answer = self._ask("generate_png", identity=identity, observation=observation)
        return answer["image_bytes"].tolist()

    def sample(self, identity_seed: Any, observation_seed: Any) -> dict[str, np.ndarray]:
        """Images of seeds, int [n] each, and the codes that the seeds gave.

        Returns:
            `images` uint8 [n, h, w, c], `identity` float32 [n, d_i], `observation` float32 [n, d_o].
        """
        return self._ask("sample", identity_seed=identity_seed, observation_seed=observation_seed)

    def score(self, images: Any) -> np.ndarray:
        """How much each tuple looks like a real matched one: uint8 [n, k, h, w, c] to float32 [n],
        higher = more. Images have the model's size: `sdgan_tf.data.decoding.decode` makes it.
        """
        return self._ask("score", images=images)["score"]

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _ask(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        deadline = time.monotonic() + self.timeout
        if not self._signatures:
            self._signatures = _understood(self._transport.signatures, self.timeout)
        known = {key: sorted(item.inputs) for key, item in self._signatures.items()}
        if known.get(name) != sorted(inputs):
            raise ServingError(
                "NOT_FOUND", f"the model answers {known}, not {name!r} of {sorted(inputs)}"
            )
        signature = self._signatures[name]
        arrays = {key: _checked(key, value, signature) for key, value in inputs.items()}
        self._check_rows(arrays)
        left = max(deadline - time.monotonic(), 1e-3)
        return _understood(self._transport.predict, name, signature, arrays, left)

    def _check_rows(self, arrays: dict[str, np.ndarray]) -> None:
        rows = {key: len(array) for key, array in arrays.items()}
        if len(set(rows.values())) > 1:
            raise ValueError(f"All inputs have one row for each answer. Received: rows {rows}")
        count = next(iter(rows.values()))
        if not 1 <= count <= self.max_rows:
            raise ValueError(
                f"A request has 1 to {self.max_rows} rows (max_rows): send more in several. "
                f"Received: {count:,}"
            )


def _understood(ask: Callable, *arguments: Any) -> Any:
    """What `ask` reads from the server's answer."""
    try:
        return ask(*arguments)
    except ServingError:
        raise
    except Exception as error:  # What is not TF Serving may break any step of the reading.
        raise ServingError(
            "UNKNOWN", f"the answer is not that of TF Serving: {error!r:.300}"
        ) from error


def _expected(info: Any) -> tuple[tf.TensorShape, tf.DType]:
    """The shape and the type of an input, as the server says them."""
    shape = tf.TensorShape(info.tensor_shape)
    rows, *others = shape.as_list()
    # Inputs of an export have any number of rows, and a width of their own.
    if rows is not None or any(size is not None and size < 0 for size in others):
        raise ValueError(f"an input of shape {shape}")
    return shape, tf.dtypes.as_dtype(info.dtype)


def _checked(name: str, value: Any, signature: Any) -> np.ndarray:
    """`value` as the signature's input `name`, nothing of it lost."""
    info = signature.inputs[name]
    shape, dtype = _understood(_expected, info)
    array = np.asarray(value)
    expected = (
        f"`{name}` is {dtype.name} {['n' if size is None else size for size in shape.as_list()]}"
    )
    if not shape.is_compatible_with(array.shape):
        raise ValueError(f"{expected}. Received: shape {list(array.shape)}")
    if array.dtype.kind not in ("iuf" if dtype.is_floating else "iu"):
        raise ValueError(f"{expected}. Received: {array.dtype.name}")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype.as_numpy_dtype)
    if dtype.is_floating and not np.isfinite(cast).all():
        raise ValueError(f"{expected}, all of it finite. Received: NaN or infinite values")
    if dtype.is_integer and not np.array_equal(cast, array):
        low, high = array.min(), array.max()
        raise ValueError(f"{expected}. Received: values from {low} to {high}")
    return cast
