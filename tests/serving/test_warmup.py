"""Warm-up requests: read back as TF Serving reads them, and run."""

from __future__ import annotations

import pytest
import tensorflow as tf

from sdgan_tf import serving
from sdgan_tf.serving import warmup

logs = pytest.importorskip(
    "tensorflow_serving.apis.prediction_log_pb2", reason="needs the extra `serving`"
)


@pytest.fixture(scope="module")
def records(path):
    """Return the warm-up requests of an export."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    return [
        logs.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]


def test_every_signature_is_asked_for_one_row_and_for_a_batch(records):
    asked = [
        (
            log.predict_log.request.model_spec.name,
            log.predict_log.request.model_spec.signature_name,
            {item.tensor_shape.dim[0].size for item in log.predict_log.request.inputs.values()},
        )
        for log in records
    ]
    names = ("serving_default", "generate_png", "sample", "score")
    assert asked == [("faces", name, {rows}) for name in names for rows in (1, 64)]


def test_the_requests_can_be_answered(records, answers):
    for log in records:
        request = log.predict_log.request
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        outputs = answers.run(request.model_spec.signature_name, inputs)
        rows = len(next(iter(inputs.values())))
        assert {len(value) for value in outputs.values()} == {rows}


def test_a_batch_of_images_takes_a_few_bytes(path):
    # 64 pairs of 8x8 colour images alone would be 24,576.
    assert (path / warmup.PATH).stat().st_size < 2000


def test_without_the_extra_the_export_has_none(model, tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "available", lambda: False)
    version = serving.export(model, tmp_path / "1")
    assert (version / "saved_model.pb").is_file()
    assert not (version / "assets.extra").exists()
