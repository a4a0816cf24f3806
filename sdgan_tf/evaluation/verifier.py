"""The judge: pictures to embeddings, whose distance says whether two show one identity."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.files import atomic_folder
from sdgan_tf.images import to_float
from sdgan_tf.models import variables
from sdgan_tf.networks import Embedder

SCALES = ("symmetric", "unit", "bytes", "standardised")
METRICS = ("cosine", "euclidean")

# In place of a path: the judge that needs no training.
FACES = "dlib-faces"
# The files of a folder that `save` writes.
CONFIG = "verifier.json"
WEIGHTS = "weights.npz"


class VerifierError(ValueError):
    """A verifier that cannot be read or must not judge."""


class Verifier:
    """Embeds pictures; two show one identity if the squared distance of their embeddings is small.

    Args:
        network: float32 [n, image_size, image_size, channels] to float32 [n, d].
        name: printed with every number that rests on this judge.
        image_size: edge of the pictures that the network takes, in pixels.
        channels: 1 or 3.
        scale: of the network's input: `"symmetric"` for [-1, 1], `"unit"` for [0, 1], `"bytes"` for
            [0, 255], `"standardised"` for each picture to mean 0 and variance 1 (FaceNet).
        metric: `"cosine"`: embeddings are brought to unit length, so that squared distances lie
            between 0 and 4; `"euclidean"`: they are taken as they come.
        facts: what is known of the judge, such as its own AUC; kept with it.

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

    def embed(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Embeddings of pictures: uint8 [n, h, w, c], 0 to 255, to float32 [n, d].

        Pictures of another size are resized (bilinear, antialiased), grey ones repeated for a
        network that takes colour.

        Raises:
            ValueError: not pictures, or colour ones for a network that takes grey.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
            raise ValueError(
                "A verifier embeds uint8 pictures [n, height, width, channels], at least one. "
                f"Received: {images.dtype} {images.shape}"
            )
        if images.shape[-1] not in (1, self.channels):
            raise ValueError(
                f"The verifier {self.name!r} takes pictures of {self.channels} channel(s). "
                f"Received: {images.shape[-1]} channels"
            )
        # Here already: a graph that has met grey and coloured pictures knows neither's channels.
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
        found = tf.cast(self.network(self._scaled(images)), tf.float32)
        found = tf.reshape(found, [tf.shape(images)[0], -1])
        return tf.math.l2_normalize(found, axis=-1) if self.metric == "cosine" else found

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
        names = ("image_size", "channels", "dim", "embedding_size")
        config = {
            "name": self.name,
            "network": {name: getattr(self.network, name) for name in names},
            "facts": self.facts,
        }
        arrays = {
            name: np.asarray(value)
            for name, value in variables.by_path(self.network, "verifier").items()
        }
        with atomic_folder(Path(path)) as folder:
            (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
            np.savez(folder / WEIGHTS, **arrays)
        return Path(path)


def load_verifier(
    path: str | Path,
    image_size: int | None = None,
    channels: int = 3,
    scale: str = "standardised",
    metric: str = "cosine",
) -> Verifier:
    """Opens a verifier: one of `train_verifier`, or a model of the user's such as FaceNet.

    Args:
        path: a folder that `Verifier.save` wrote; or a SavedModel's folder or a `.keras` file,
            whose first input is a batch of pictures and whose first output their embeddings; or
            "dlib-faces" for `sdgan_tf.evaluation.faces.face_verifier`.
        image_size: for the user's models: the edge of the pictures that it takes; None to read it
            from the model.
        channels: likewise.
        scale: likewise; see `Verifier`.
        metric: likewise.

    Raises:
        VerifierError: there is no such verifier, or it cannot be read.
        ImportError: the extra `faces` is missing.
    """
    if path == FACES:
        from sdgan_tf.evaluation.faces import face_verifier

        return face_verifier()
    path = Path(path)
    try:
        if (path / CONFIG).is_file():
            return _load_own(path)
        if (path / "saved_model.pb").is_file():
            network = _signature(tf.saved_model.load(str(path)))
        elif path.suffix in (".keras", ".h5") and path.is_file():
            network = keras.models.load_model(path, compile=False)
        else:
            raise VerifierError(
                "A verifier is a folder that `bin/evaluate train-verifier` wrote, a SavedModel's folder, "
                f"a .keras file, or {FACES}. Received: {path}{'' if path.exists() else ', which does not exist'}"
            )
    except VerifierError:
        raise
    except Exception as error:  # Damaged files raise nearly anything.
        raise VerifierError(f"Could not read the verifier {path}: {error}") from error
    if image_size is None:
        image_size = _input_size(network, path)
    return Verifier(network, path.stem, image_size, channels, scale, metric)


def _load_own(path: Path) -> Verifier:
    config = json.loads((path / CONFIG).read_text())
    network = Embedder(**config["network"])
    network.build()
    state = variables.by_path(network, "verifier")
    with np.load(path / WEIGHTS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if {name: tuple(value.shape) for name, value in state.items()} != {
        name: array.shape for name, array in arrays.items()
    }:
        raise VerifierError(f"{path / WEIGHTS} does not fit {path / CONFIG}.")
    for name, value in state.items():
        value.assign(arrays[name])
    size, channels = config["network"]["image_size"], config["network"]["channels"]
    return Verifier(network, config["name"], size, channels, facts=config["facts"])


def _signature(loaded: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    if "serving_default" not in loaded.signatures:
        raise VerifierError(
            f"A SavedModel judges by its signature serving_default. Received: {sorted(loaded.signatures)}"
        )
    function = loaded.signatures["serving_default"]
    (name, spec), *others = function.structured_input_signature[1].items()
    if others:
        raise VerifierError(f"A verifier has one input. Received: {name} and {len(others)} more")

    def network(images: tf.Tensor) -> tf.Tensor:
        return next(iter(function(**{name: images}).values()))

    # The owner of the variables has to live as long as the function.
    network.owner, network.input_shape = loaded, tuple(spec.shape)
    return network


def _input_size(network: Any, path: Path) -> int:
    shape = getattr(network, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4 and shape[1] and shape[1] == shape[2]:
        return int(shape[1])
    raise VerifierError(
        f"{path} does not say what size of pictures it takes: give image_size. Received: an input of shape {shape}"
    )
