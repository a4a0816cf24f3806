"""The gRPC side of TF Serving, by tensorflow-serving-api (the extra `serving`)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.serving.errors import ServingError


def options(retries: int, max_bytes: int) -> list[tuple[str, Any]]:
    """What a channel is told: retries are gRPC's own."""
    policy = {
        "maxAttempts": retries + 1,
        "initialBackoff": "0.2s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    # One try alone is no policy to gRPC.
    method = {"name": [{}], **({"retryPolicy": policy} if retries else {})}
    return [
        ("grpc.service_config", json.dumps({"methodConfig": [method]})),
        # A batch of images soon has more than the usual 4 MB.
        ("grpc.max_receive_message_length", max_bytes),
        ("grpc.max_send_message_length", -1),
        # Of a request that is longer than this, gRPC keeps no copy to send again.
        ("grpc.per_rpc_retry_buffer_size", max_bytes),
        # A longer wait for the connection would waste some of the tries.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]


class GrpcTransport:
    """Sends tensors as protocol buffers.

    Args:
        address: such as `localhost:8500`.
        model: as the server calls it.
        version: None for the newest.
        retries: how often a request is sent again after a transient error.
        max_bytes: an answer with more is refused.
    """

    def __init__(self, address: str, model: str, version: int | None, retries: int, max_bytes: int):
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise ImportError(
                "gRPC needs the extra `serving`: pip install 'sdgan_tf[serving]'. An address that begins "
                f"with http:// needs nothing more. Missing: {error.name}"
            ) from error
        self._channel = grpc.insecure_channel(address, options(retries, max_bytes))
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model
        self._version = version
        self._max_bytes = max_bytes

    def signatures(self, timeout: float) -> dict[str, Any]:
        """`SignatureDef` messages by name."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        answer = self._send(self._stub.GetModelMetadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        return dict(signatures.signature_def)

    def predict(
        self, name: str, signature: Any, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """The outputs of one signature, by name."""
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = name
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        answer = self._send(self._stub.Predict, request, timeout)
        return {key: self._array(key, answer.outputs[key]) for key in signature.outputs}

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _array(self, name: str, output: Any) -> np.ndarray:
        # One value and a shape stand for as many of it as the shape says.
        count = math.prod(dimension.size for dimension in output.tensor_shape.dim)
        size = count * tf.dtypes.as_dtype(output.dtype).size
        if not 0 <= size <= self._max_bytes:
            raise ServingError(
                "RESOURCE_EXHAUSTED",
                f"the output {name!r} is of {size:,} bytes, more than max_bytes={self._max_bytes:,}",
            )
        return tf.make_ndarray(output)

    def _send(self, method: Callable, request: Any, timeout: float) -> Any:
        import grpc

        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise ServingError(error.code().name, error.details()) from None
