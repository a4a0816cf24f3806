"""Images from codes, codes from seeds: what is refused, and the order of things."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.latents import LatentSpace, Part
from sdgan_tf.models import ImageModel


class Painter(ImageModel):
    """Paints an image in two shades: the identity's number above the observation's."""

    image_size, channels, k = 2, 1, 2
    latents = LatentSpace.split(1, 1)

    def __init__(self):
        self.batches = []

    def __call__(self, codes):
        self.batches.append(len(codes))
        return tf.repeat(codes[:, :, tf.newaxis, tf.newaxis], 2, axis=2)

    def identity_codes(self, seeds):
        return np.array(seeds, np.float32)[:, np.newaxis] / 255

    observation_codes = identity_codes


def test_images_lie_as_their_codes_do():
    painter = Painter()
    codes = np.linspace(-1, 1, 2 * 3 * 5 * 2).reshape(2, 3, 5, 2)
    images = painter.render(codes, batch_size=8)
    assert images.shape == (2, 3, 5, 2, 2, 1) and images.dtype == np.uint8
    np.testing.assert_array_equal(images[..., 0, 0], np.round((codes + 1) * 127.5))
    assert painter.batches == [8, 8, 8, 6]
    assert painter.render(np.zeros([0, 2])).shape == (0, 2, 2, 1)


def test_a_progress_bar_counts_the_batches_where_it_is_asked_for(capfd):
    Painter().render(np.zeros([30, 2]), batch_size=8)
    assert capfd.readouterr() == ("", "")
    Painter().render(np.zeros([30, 2]), batch_size=8, verbose=True)
    assert "batches of images: 100%" in capfd.readouterr().err


def test_rows_share_the_identity_and_columns_the_observation():
    grid = Painter().generate([1, 3], [5, 7, 9])[..., 0, 0].astype(float) - 127.5
    assert (grid * 2).tolist() == [[[1, 5], [1, 7], [1, 9]], [[3, 5], [3, 7], [3, 9]]]


def test_codes_may_be_drawn_scaled_or_given():
    painter = Painter()
    identity, observation = painter.grid_codes([255, 51], np.array([[0.5]]), truncation=0.5)
    np.testing.assert_allclose(identity, [[0.5], [0.1]], rtol=1e-6)
    np.testing.assert_array_equal(observation, [[0.5]])
    full = painter.generate([255, 51], [51])
    half = painter.generate([255, 51], [51], truncation=0.5)
    np.testing.assert_array_equal(full[:, 0, 0, 0, 0], [255, 153])
    np.testing.assert_array_equal(half[:, 0, 0, 0, 0], [191, 140])
    # One-hot parts have no shorter code that they could be scaled to.
    painter.latents = LatentSpace([Part("digit", 2, "categorical")], [Part("noise", 1)])
    painter.identity_codes = painter.latents.identity_codes
    scaled, _ = painter.grid_codes([0, 1], [51], truncation=0.5)
    np.testing.assert_array_equal(np.sort(scaled, axis=1), [[0, 1], [0, 1]])
    painter = Painter()
    # Another seed shows others, and none of the first one's.
    first, other = (painter.grid_codes(3, 2, seed)[0] for seed in (0, 1))
    assert first.dtype == np.float32 and not set(first.flat) & set(other.flat)


def test_interpolation_walks_each_block_by_itself():
    grid = Painter().interpolate([0, 255], [[-1.0], [0.0], [-1.0]], steps=2)[..., 0, 0]
    assert grid.shape == (3, 5, 2)
    assert grid[:, 1, 0].tolist() == [128, 191, 255]
    assert grid[1, :, 1].tolist() == [0, 64, 128, 64, 0]
    assert Painter().interpolate([3], [1, 2], steps=4).shape[:2] == (1, 5)
    arcs = Painter().interpolate(np.array([[0.2], [0.4]]), [7], steps=2, path="slerp")
    np.testing.assert_array_equal(arcs[:, 0, 0, 0, 0], [153, 166, 178])


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
        ({"identities": 2**40}, "8,796,093,022,208 images"),
        ({"seed": 2**31}, "Received: seed=2147483648"),
        ({"identities": [2**63]}, "fit into 64 bits"),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"truncation": 1.5}, "Received: truncation=1.5"),
        ({"truncation": float("nan")}, "Received: truncation=nan"),
        ({"identities": np.zeros([2, 2])}, r"Identity codes of this model are \[n, 1\]"),
        ({"observations": np.zeros([2, 0])}, r"Observation codes .* Received: shape \(2, 0\)"),
        ({"identities": np.zeros([0, 1])}, r"at least one. Received: shape \(0, 1\)"),
        ({"observations": [[np.nan]]}, "Received: 8 that are NaN"),
    ],
)
def test_bad_counts_are_refused(arguments, message):
    painter = Painter()
    with pytest.raises(ValueError, match=message):
        painter.generate(**arguments)
    assert not painter.batches


def test_a_walk_of_too_many_steps_is_refused():
    painter = Painter()
    for steps, message in ((10**12, "GiB of memory"), (0, "steps=0")):
        with pytest.raises(ValueError, match=message):
            painter.interpolate([1, 2], [3], steps=steps)
    assert not painter.batches
