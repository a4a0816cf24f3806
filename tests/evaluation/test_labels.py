"""Labels of generated images, held against a classifier of known answers and a trained one."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import measure_labels, train_label_classifier
from tests import tiny


class Labelled:
    """Shows label l as images of brightness 50 l, 10 brighter in every other column, and every tenth row wrongly as 0."""

    labels = 3

    def generate(self, identities, observations, seed):
        """Return uint8 [identities, observations, 8, 8, 1]."""
        rows = np.arange(identities)
        shades = np.where(rows % 10 == 9, 0, 50 * (rows % 3))[:, None]
        shades = shades + 10 * (np.arange(observations) % 2)
        size = (identities, observations, 8, 8, 1)
        return np.broadcast_to(shades[..., None, None, None], size).astype(np.uint8)


class Classifier:
    """Names the label by brightness, for certain."""

    def read(self, images):
        """Return probabilities [n, 3]."""
        return np.eye(3, dtype=np.float32)[images[:, 0, 0, 0] // 50]


def real(labels=3):
    """Return two images of each label, one as bright as label 0 though it is of label 1."""
    shades = np.array([0, 40, 50, 0, 100, 140])[: 2 * labels]
    images = np.broadcast_to(shades[:, None, None, None], (2 * labels, 8, 8, 1)).astype(np.uint8)
    return IdentityData([str(label) for label in range(labels)], [2] * labels, images)


def test_generated_images_are_held_against_their_labels():
    scores = measure_labels(Labelled(), Classifier(), real())
    # Of 60 rows the tenth, twentieth ... are wrong unless their label is 0: rows 9, 39 show label 0 anyway.
    assert (scores.made.images, scores.made.accuracy) == (300, pytest.approx(1 - 4 / 60))
    # Two or three of five columns are 10 brighter: a deviation of 10 sqrt(.4 * .6).
    assert scores.made.spread == pytest.approx(10 / 255 * 0.24**0.5, rel=1e-4)
    # Three equally frequent labels would be 3; the wrong ones make the first more frequent.
    shares = np.array([24, 18, 18]) / 60
    assert scores.made.score == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-4)
    assert scores.real.accuracy == pytest.approx(5 / 6)
    assert scores.real.spread == pytest.approx((20 + 25 + 20) / 3 / 255, rel=1e-4)
    assert scores.grid.shape == (3, 10, 8, 8, 1)
    assert "| generated | 300 | 93.33% |" in scores.to_markdown()


def test_other_labels_and_models_of_none_are_refused():
    with pytest.raises(ValueError, match="Received: 3 labels of the model, 2 of the images"):
        measure_labels(Labelled(), Classifier(), real(labels=2))
    with pytest.raises(ValueError, match="stage=bottom on. Received: SDGAN"):
        measure_labels(tiny.model(), Classifier(), real())


@pytest.mark.once
def test_a_classifier_learns_labels_also_of_odd_sizes():
    rng = np.random.default_rng(0)
    shades = np.repeat([60, 180], 40)[:, None, None, None]
    images = np.clip(shades + rng.normal(0, 20, (80, 12, 12, 1)), 0, 255).astype(np.uint8)
    data = IdentityData(["dark", "bright"], [40, 40], images)
    classifier = train_label_classifier(data, steps=40, dim=2, batch_size=16)
    read = classifier.read(images)
    assert classifier.edge == 16 and read.shape == (80, 2)
    np.testing.assert_allclose(read.sum(1), 1, rtol=1e-5)
    assert np.mean(read.argmax(1) == np.repeat([0, 1], 40)) == 1
