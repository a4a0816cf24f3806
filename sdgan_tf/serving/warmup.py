"""Warm-up requests: what TF Serving computes once before it answers anyone.

They are `PredictionLog` records in `assets.extra/tf_serving_warmup_requests` of a version. The
protocol buffers come from tensorflow-serving-api, the extra `serving`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

PATH = Path("assets.extra", "tf_serving_warmup_requests")


def available() -> bool:
    """Whether the extra `serving` is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def requests(functions: Mapping[str, Any], model_name: str, rows: int) -> list[Any]:
    """For every signature a request of one row and one of a whole batch.

    Args:
        functions: concrete functions by signature name.
        model_name: as the server calls the model.
        rows: of a whole batch.

    Returns:
        `PredictionLog` messages.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    logs = []
    for signature, function in functions.items():
        for count in sorted({1, rows}):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, spec in function.structured_input_signature[1].items():
                request.inputs[name].CopyFrom(_zeros([count, *spec.shape[1:]], spec.dtype))
            logs.append(log)
    return logs


def _zeros(shape: list[int], dtype: tf.DType) -> Any:
    # One value stands for all: a batch of images takes a few bytes of the file.
    proto = tf.make_tensor_proto(0, dtype, shape=[1])
    proto.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return proto


def write(version: Path, logs: Iterable[Any]) -> None:
    """Writes `PredictionLog` messages where TF Serving looks for them in a version's folder."""
    path = version / PATH
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())
