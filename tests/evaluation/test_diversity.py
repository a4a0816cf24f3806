"""MS-SSIM: TensorFlow's where that is defined, and a stated measure below."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.evaluation.diversity import WEIGHTS, ms_ssim, protocol, scales


def images_of(size, count=6, channels=3):
    """Return smooth images, each second one a noisy copy of the one before."""
    rng = np.random.default_rng(size)
    coarse = rng.uniform(0, 255, [count // 2, 8, 8, channels])
    smooth = tf.image.resize(coarse, [size, size]).numpy()
    noisy = smooth + rng.normal(0, 20, smooth.shape)
    both = np.stack([smooth, noisy], axis=1).reshape(count, size, size, channels)
    return both.clip(0, 255).astype(np.uint8)


PAIRS = np.array([[0, 1], [2, 3], [0, 2], [4, 5]])


@pytest.mark.parametrize(
    ("size", "expected"), [(11, 1), (16, 1), (20, 1), (21, 2), (32, 2), (64, 3), (128, 4),
                           (160, 4), (161, 5), (176, 5), (512, 5)],
)  # fmt: skip
def test_the_coarsest_scale_covers_the_window(size, expected):
    assert scales(size) == expected


def test_large_images_are_measured_by_the_stock_op_as_it_comes():
    images = images_of(161)
    expected = tf.image.ssim_multiscale(images[[0, 0]], images[[1, 2]], 255)
    values = ms_ssim(images, np.array([[0, 1], [0, 2]]))
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize(("size", "count"), [(16, 1), (32, 2), (64, 3), (128, 4)])
def test_smaller_images_have_the_first_scales_with_weights_that_add_up_to_one(size, count):
    images = images_of(size)
    weights = np.array(WEIGHTS[:count]) / sum(WEIGHTS[:count])
    first, second = images[PAIRS.T]
    expected = tf.image.ssim_multiscale(first, second, 255, list(weights))
    values = ms_ssim(images, PAIRS)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, atol=1e-6)
    # Copies with noise are more alike than strangers, and all is like itself.
    assert values[[0, 1, 3]].min() > values[2]
    np.testing.assert_allclose(ms_ssim(images, np.array([[1, 1]])), 1.0, atol=1e-6)


def test_every_pair_has_its_value_whatever_the_others(monkeypatch):
    images = images_of(32, channels=1)
    whole = ms_ssim(images, PAIRS)
    monkeypatch.setattr("sdgan_tf.evaluation.diversity._CHUNK", 3)
    np.testing.assert_allclose(ms_ssim(images, PAIRS), whole, atol=1e-6)


def test_the_protocol_says_what_was_measured():
    text = protocol(64)
    assert text.startswith("MS-SSIM at 64 px, 3 scales weighing 0.0711, 0.4530, 0.4760")
    assert "11 px" in text
    assert "5 scales weighing 0.0448, 0.2856, 0.3001, 0.2363, 0.1333 " in protocol(256)
    assert "1 scale weighing 1.0000 " in protocol(16)


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="11 px or more.*Received: 8 px"):
        scales(8)
