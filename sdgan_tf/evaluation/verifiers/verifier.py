"""The verifier: images to embeddings, whose distance says whether two show one identity."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.files import atomic_folder, local_path, write_arrays
from sdgan_tf.images import to_float
from sdgan_tf.models import variables
from sdgan_tf.networks import Embedder

SCALES = ("symmetric", "unit", "bytes", "standardised")
METRICS = ("cosine", "euclidean")

# The files of a folder that `save` writes.
CONFIG = "verifier.json"
WEIGHTS = "weights.npz"


class VerifierError(ValueError):
    """A verifier that cannot be read, or whose embeddings cannot be used."""


class Verifier:
    """Embeds images; two show one identity if the squared distance of their embeddings is small.

    Args:
        network: float32 [n, image_size, image_size, channels] to float32 [n, d].
        name: printed with every number that rests on this verifier.
        image_size: edge of the images that the network takes, in pixels.
        channels: 1 or 3.
        scale: of the network's input: `"symmetric"` for [-1, 1], `"unit"` for [0, 1], `"bytes"` for
            [0, 255], `"standardised"` for each image to mean 0 and variance 1 (FaceNet).
        metric: `"cosine"`: embeddings are brought to unit length, so that squared distances lie
            between 0 and 4; `"euclidean"`: they are taken as they come.
        facts: what is known of the verifier, such as its own AUC; kept with it.

    Example:

    >>> verifier = Verifier(lambda images: images[:, ::8, ::8, 0], "corners", 16, 1)
    >>> verifier.embed(np.zeros([2, 16, 16, 1], np.uint8)).shape
    (2, 4)
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        name: str,
        image_size: int,
        channels: int = 3,
        scale: str = "symmetric",
        metric: str = "cosine",
        facts: dict[str, Any] | None = None,
    ):
        for key, value, choices in (("scale", scale, SCALES), ("metric", metric, METRICS)):
            if value not in choices:
                raise ValueError(f"A verifier's {key} is one of {choices}. Received: {value!r}")
        self.network = network
        self.name = name
        self.image_size = image_size
        self.channels = channels
        self.scale = scale
        self.metric = metric
        self.facts = dict(facts or {})
        self._graph = tf.function(self.embed_tensor, reduce_retracing=True)

    def describe_input(self) -> str:
        """What the network is given and how its embeddings are compared, as a report says it."""
        kind = "grey" if self.channels == 1 else "colour"
        return (
            f"{kind} images of {self.image_size}x{self.image_size} pixels, scale {self.scale}, "
            f"{self.metric} distance"
        )

    def embed(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Embeddings of images: uint8 [n, h, w, c], 0 to 255, to float32 [n, d].

        Images of another size are resized (bilinear, antialiased), grey ones repeated for a
        network that takes colour.

        Raises:
            ValueError: not images, or colour ones for a network that takes grey.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
            raise ValueError(
                "A verifier embeds uint8 images [n, height, width, channels], at least one. "
                f"Received: {images.dtype} {images.shape}"
            )
        if images.shape[-1] not in (1, self.channels):
            raise ValueError(
                f"The verifier {self.name!r} takes images of {self.channels} channel(s). "
                f"Received: {images.shape[-1]} channels"
            )
        # Here already: a graph that has met grey and coloured images knows neither's channels.
        images = np.repeat(images, self.channels // images.shape[-1], axis=-1)
        parts = [
            self._graph(tf.constant(images[start : start + batch_size])).numpy()
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate(parts)

    def embed_tensor(self, images: tf.Tensor) -> tf.Tensor:
        """The same as an operation that gradients pass: uint8, or float in [-1, 1]."""
        images = to_float(images)
        if images.shape[-1] < self.channels:
            images = tf.repeat(images, self.channels, axis=-1)
        if images.shape[1:3] != (self.image_size, self.image_size):
            size = [self.image_size, self.image_size]
            images = tf.image.resize(images, size, antialias=True)
        embeddings = tf.cast(self.network(self._scaled(images)), tf.float32)
        embeddings = tf.reshape(embeddings, [tf.shape(images)[0], -1])
        return tf.math.l2_normalize(embeddings, -1) if self.metric == "cosine" else embeddings

    def _scaled(self, images: tf.Tensor) -> tf.Tensor:
        if self.scale == "symmetric":
            return images
        if self.scale == "standardised":
            return tf.image.per_image_standardization(images)
        unit = (images + 1.0) / 2.0
        return unit if self.scale == "unit" else unit * 255.0

    def save(self, path: str | Path) -> Path:
        """Writes a verifier made by `train_verifier` to a new folder: weights and JSON, no code.

        Raises:
            FileExistsError: there is something at `path` already.
            VerifierError: the network is not an `Embedder`.
        """
        if not isinstance(self.network, Embedder):
            raise VerifierError(
                "Only verifiers made by train_verifier are saved; others stay in their own files. "
                f"Received: a network of type {type(self.network).__name__}"
            )
        names = ("image_size", "channels", "dim", "embedding_size", "pooling")
        config = {
            "name": self.name,
            "network": {name: getattr(self.network, name) for name in names},
            "facts": self.facts,
        }
        arrays = {
            name: np.asarray(value)
            for name, value in variables.by_path(self.network, "verifier").items()
        }
        path = local_path(path)
        with atomic_folder(path) as folder:
            (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
            with open(folder / WEIGHTS, "wb") as file:
                write_arrays(file, arrays)
        return path
