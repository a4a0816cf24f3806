"""Pictures from codes, codes from seeds: what is refused, and the order of things."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import Renderer


class Painter(Renderer):
    """Paints a picture in two shades: the identity's number above the observation's."""

    image_size, channels, k = 2, 1, 2
    latents = LatentSpace(1, 1)

    def __init__(self):
        self.batches = []

    def __call__(self, codes):
        self.batches.append(len(codes))
        return tf.repeat(codes[:, :, tf.newaxis, tf.newaxis], 2, axis=2)

    def identity_codes(self, seeds):
        return np.array(seeds, np.float32)[:, np.newaxis] / 255

    observation_codes = identity_codes


def test_pictures_lie_as_their_codes_do():
    painter, done = Painter(), []
    codes = np.linspace(-1, 1, 2 * 3 * 5 * 2).reshape(2, 3, 5, 2)
    images = painter.render(codes, batch_size=8, progress=lambda *now: done.append(now))
    assert images.shape == (2, 3, 5, 2, 2, 1) and images.dtype == np.uint8
    np.testing.assert_array_equal(images[..., 0, 0], np.round((codes + 1) * 127.5))
    assert painter.batches == [8, 8, 8, 6]
    assert done == [(8, 30), (16, 30), (24, 30), (30, 30)]
    assert painter.render(np.zeros([0, 2])).shape == (0, 2, 2, 1)


def test_rows_share_the_identity_and_columns_the_observation():
    grid = Painter().generate([1, 3], [5, 7, 9])[..., 0, 0].astype(float) - 127.5
    assert (grid * 2).tolist() == [[[1, 5], [1, 7], [1, 9]], [[3, 5], [3, 7], [3, 9]]]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros([4, 3]), r"d_i=1 numbers of identity .*Received: shape \(4, 3\)"),
        (np.float32(0), r"Received: shape \(\)"),
        ([[0.0, np.nan], [np.inf, 0.0]], "Received: 2 that are NaN or infinite"),
    ],
)
def test_bad_codes_are_refused(codes, message):
    painter = Painter()
    with pytest.raises(ValueError, match=message):
        painter.render(codes)
    assert not painter.batches


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"identities": 0}, "at least one row"),
        ({"observations": -3}, "at least one row"),
        ({"observations": []}, "at least one row"),
        ({"identities": 2**20, "observations": 2**20}, r"1,099,511,627,776 .* 4,096.0 GiB"),
        ({"identities": 2**40}, "Received: seed=0, 1099511627776 of them"),
        ({"seed": 2**31}, "Received: seed=2147483648"),
        ({"identities": [2**63]}, "fit into 64 bits"),
        ({"batch_size": 0}, "Received: batch_size=0"),
    ],
)
def test_bad_counts_are_refused(arguments, message):
    painter = Painter()
    with pytest.raises(ValueError, match=message):
        painter.generate(**arguments)
    assert not painter.batches
