"""Whether generated images show the label that they were asked for, by a classifier that has no part in the model."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation.readers import read_in_batches, train_reader
from sdgan_tf.images import to_float
from sdgan_tf.models import ImageModel, variables
from sdgan_tf.networks import Regressor

# Images of each label that are generated: so many identity codes of it, each with so many observation codes.
CODES, OBSERVATIONS = 20, 5
# Rows of the grid show this many images of a label each.
SHOWN = 10


class Shown(NamedTuple):
    """What a classifier says of images that should show given labels.

    Attributes:
        images: how many.
        accuracy: share of them that show their label to the classifier.
        score: `exp E KL(p(y|x) || p(y))`, the Inception score (arXiv 1606.03498) with this classifier in place of
            Inception: 1 for images of one label or of none, the number of labels at most.
        spread: the standard deviation of a pixel between images of one identity code, of real images between those of
            one label, mean over pixels, as a share of the range of values.
    """

    images: int
    accuracy: float
    score: float
    spread: float


class LabelScores(NamedTuple):
    """What `measure_labels` returns.

    Attributes:
        made: of generated images.
        real: of real images that neither model nor classifier has seen.
        grid: uint8 [labels, 10, h, w, c], generated images: rows share the label, columns the observation code.
    """

    made: Shown
    real: Shown
    grid: np.ndarray

    def to_markdown(self) -> str:
        """The numbers as a Markdown table."""
        lines = [
            "| | Images | Label accuracy | Score | Spread |",
            "| --- | --- | --- | --- | --- |",
        ]
        for name, row in (("generated", self.made), ("real, unseen", self.real)):
            lines.append(
                f"| {name} | {row.images:,} | {row.accuracy:.2%} | {row.score:.2f} | {row.spread:.4f} |"
            )
        return "\n".join(lines) + "\n"


class LabelClassifier:
    """Names labels of images.

    Args:
        network: images float32 [n, edge, edge, c] in [-1, 1] to logits float32 [n, labels].
        edge: of the images that the network takes; others are resized.
    """

    def __init__(self, network: keras.Model, edge: int):
        self.network = network
        self.edge = edge
        self._graph = tf.function(
            lambda images: tf.nn.softmax(network(resized(images, edge))), reduce_retracing=True
        )

    def read(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """uint8 [n, h, w, c] to probabilities float32 [n, labels]."""
        return read_in_batches(self._graph, images, batch_size)


def resized(images: tf.Tensor, edge: int) -> tf.Tensor:
    """Images uint8 [n, h, w, c] to float32 [n, edge, edge, c] in [-1, 1]."""
    return tf.image.resize(to_float(images), [edge, edge])


def train_label_classifier(
    train: IdentityData,
    steps: int = 1000,
    dim: int = 16,
    batch_size: int = 64,
    rate: float = 2e-3,
    seed: int = 0,
    verbose: bool = False,
) -> LabelClassifier:
    """Trains a classifier of the identities of some data, its labels, by cross-entropy.

    It is another network than the classifier of `StackedGAN`, with batch norm and strides in place of pooling.

    Args:
        train: real images by label.
        steps: of `batch_size` images.
        dim: width of the network.
        batch_size: images in a step.
        rate: Adam's, falling to zero by half a cosine.
        seed: of weights and batches.
        verbose: whether a progress bar is shown.
    """
    # The network halves its maps down to 4x4.
    edge = 2 ** int(np.ceil(np.log2(max(train.image_size, 8))))
    network = Regressor(edge, train.channels, dim, len(train))
    network.build()
    variables.seed(network, "labels", seed)
    labels = np.repeat(np.arange(len(train)), train.counts)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    prepare = functools.partial(resized, edge=edge)
    how = (steps, batch_size, rate, seed, verbose)
    train_reader(network, "label classifier", train.images, labels, prepare, loss, *how)
    return LabelClassifier(network, edge)


def check_labels(model: ImageModel, unseen: IdentityData) -> None:
    """Raises a `ValueError` for a model of no labels, or of another number of labels than the images have."""
    if not model.labels:
        raise ValueError(
            "Only models that are asked for labels and make images of them show any, such as --model=stacked from "
            f"--stage=bottom on. Received: {type(model).__name__}"
        )
    if model.labels != len(unseen):
        raise ValueError(
            "The unseen images have the labels of the model, a folder each. "
            f"Received: {model.labels} labels of the model, {len(unseen)} of the images"
        )


def measure_labels(
    model: ImageModel, classifier: Any, unseen: IdentityData, seed: int = 0
) -> LabelScores:
    """Holds generated images against the labels that they were asked for.

    Args:
        model: whose first identity codes show one label after another, over and over, as those of `StackedGAN` do.
        classifier: has `read`, as `LabelClassifier` has.
        unseen: real images by label, labels in the order of the model's.
        seed: of the codes.

    Raises:
        ValueError: a model of no labels, or other labels than the real images have.
    """
    check_labels(model, unseen)
    images = model.generate(CODES * model.labels, OBSERVATIONS, seed)
    labels = np.tile(np.arange(model.labels), CODES)
    flat = images.reshape(-1, *images.shape[2:])
    made = _shown(classifier.read(flat), np.repeat(labels, OBSERVATIONS), _spread(images))
    groups = np.split(unseen.images, np.cumsum(unseen.counts)[:-1])
    spread = float(np.mean([_spread(group[np.newaxis]) for group in groups]))
    labels = np.repeat(np.arange(len(unseen)), unseen.counts)
    real = _shown(classifier.read(unseen.images), labels, spread)
    return LabelScores(made, real, model.generate(model.labels, SHOWN, seed))


def _shown(probabilities: np.ndarray, labels: np.ndarray, spread: float) -> Shown:
    accuracy = np.mean(probabilities.argmax(1) == labels)
    each = np.maximum(probabilities.astype(np.float64), 1e-12)
    nats = np.sum(each * np.log(each / each.mean(0)), axis=1)
    return Shown(len(labels), float(accuracy), float(np.exp(nats.mean())), spread)


def _spread(images: np.ndarray) -> float:
    """Of images uint8 [rows, columns, h, w, c], between the columns of each row."""
    return float(np.mean(np.std(images.astype(np.float32) / 255, axis=1)))
