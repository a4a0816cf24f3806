"""Rebuilding and swapping of people, by models whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf.evaluation import likeness, measure_people
from sdgan_tf.evaluation.people import People
from tests.models.test_dpig import TINY


@pytest.fixture(scope="module")
def splits():
    people = sd.data.drawn(12, 3, 16, keypoints=True, bodies=True)
    return people.split(0.2, 0.4)


class Mirror(sd.DPIG):
    """A model whose codes hold images themselves: it shows the image whose identity code it is given."""

    def encode(self, images, keypoints, masks, batch_size=64):
        self.seen = images
        count = np.arange(len(images), dtype=np.float32)[:, None]
        return np.repeat(count, self.latents.d_i, 1), np.repeat(count, self.latents.d_o, 1)

    def render(self, codes, batch_size=64, verbose=False):
        return self.seen[np.asarray(codes)[..., 0].astype(int)]


class Judge:
    """Knows everybody: an embedding is the number of the identity that has this very image."""

    def __init__(self, data):
        who = np.repeat(np.arange(len(data)), data.counts)
        self.who = {image.tobytes(): number for image, number in zip(data.images, who)}

    def embed(self, images):
        return np.array([[self.who[image.tobytes()]] for image in images], np.float32)


def test_likeness_by_hand():
    images = np.zeros((2, 16, 16, 3), np.uint8)
    masks = np.zeros((2, 16, 16, 1), np.uint8)
    masks[:, :, :8] = 1
    assert likeness(images, images, masks) == (0, 1, 1)
    others = images.copy()
    others[:, :, 8:] = 255
    l1, ssim, mask_ssim = likeness(images, others, masks)
    assert l1 == pytest.approx(0.5) and ssim < 0.6 and mask_ssim == pytest.approx(1)
    # An average over images, also where they take more than one batch, and for grey ones.
    many = np.concatenate([images, others] * 40)
    halves = likeness(many, np.zeros_like(many), np.ones_like(many[..., :1]))
    assert halves.l1 == pytest.approx(0.25)
    assert likeness(many[..., :1], many[..., :1], np.ones_like(many[..., :1])).ssim == 1


def test_who_stays_who_is_kept(splits):
    model = Mirror(**{**TINY, "training_identities": len(splits.train)})
    people = measure_people(model, splits, Judge(splits.test), 0.5)
    assert people.images == splits.test.counts.sum() >= 6
    assert people.rebuilt == (0, 1, 1)
    assert 0.01 < people.copied.l1 < 0.5 and people.copied.ssim < 0.95
    assert (people.kept, people.mistaken, people.real) == (1, 0, 1)
    rows = people.grid.shape[0]
    assert people.grid.shape == (rows, rows, 16, 16, 3) and rows == min(len(splits.test), 6) + 1
    np.testing.assert_array_equal(people.grid[1, 1], people.grid[1, 0])
    text = people.to_markdown()
    assert "| rebuilt | 0.0000 | 1.000 | 1.000 |" in text and "takes 100% for the person" in text
    assert isinstance(people, People)


def test_data_without_keypoints_are_refused(splits):
    plain = sd.data.drawn(12, 3, 16).split(0.2, 0.4)
    model = sd.DPIG(**{**TINY, "training_identities": len(plain.train)})
    with pytest.raises(ValueError, match="open the data with keypoints=True.*fields \\[\\]"):
        measure_people(model, plain, Judge(plain.test), 0.5)
