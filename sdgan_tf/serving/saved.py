"""Exported models, loaded again: images from a SavedModel without the code that trained it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from sdgan_tf.files import local_path
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import ImageModel
from sdgan_tf.serving.export import versions

PRETRAINED = ("drawn",)
FUNCTIONS = ("identity_codes", "observation_codes", "description")


class ExportedModel(ImageModel):
    """A model that `export` wrote, to be used like the one it was: `generate`, `render`, `score`.

    Calling it with codes float [n, d_i + d_o] gives differentiable images, float32 [n, h, w, c]
    in [-1, 1].

    Attributes:
        path: the version's folder.
        model: the registered name of what was exported, such as `"sdgan"`.
        completed_steps: how long it was trained.
        data: what is known of the data that it was trained on, or None: `"fingerprint"`, that of the
            training identities, how many `"identities"` they are, and `"flags"`, by which they were
            opened and split, as strings by name; neither names of identities nor a path.

    Args:
        path: the version's folder.
        restored: what TensorFlow loaded from it.
    """

    def __init__(self, path: Path, restored: tf.Module):
        described = json.loads(restored.description().numpy())
        self.path = path
        self.completed_steps = described["step"]
        self.identities = described["identities"]
        self.observations = described.get("observations")
        self.k = described["k"]
        self.data = described.get("data")
        if "latents" in described:
            self.model = described["model"]
            self.image_size, self.channels = described["image_size"], described["channels"]
            self.latents = LatentSpace(**described["latents"])
            self.images = restored.images
        else:  # what version 0.1.0 wrote
            config = described["config"]
            name = described["class"].lower()
            self.model = name if name in ("sdgan", "sdbegan") else "conditional"
            self.image_size, self.channels = config["image_size"], config["channels"]
            self.latents = LatentSpace.split(config["d_i"], config["d_o"], config["codes"])
            self.images = restored.pictures
        self._restored = restored

    def __call__(self, codes: tf.Tensor) -> tf.Tensor:
        return self.images(tf.cast(codes, tf.float32))

    def identity_codes(self, seeds) -> tf.Tensor:
        return self._restored.identity_codes(tf.convert_to_tensor(seeds, tf.int64))

    def observation_codes(self, seeds) -> tf.Tensor:
        return self._restored.observation_codes(tf.convert_to_tensor(seeds, tf.int64))

    def score(self, images: tf.Tensor | np.ndarray) -> tf.Tensor:
        """How much each tuple looks like a real matched one: uint8 [n, k, h, w, c] to float32 [n],
        higher = more.

        Raises:
            NotImplementedError: the model does not score tuples.
            ValueError: the tuples are of another type or shape.
        """
        if "score" not in self._restored.signatures:
            raise NotImplementedError(f"A model of {self.model} does not score tuples.")
        images = tf.convert_to_tensor(images)
        expected = [self.k, self.image_size, self.image_size, self.channels]
        if images.dtype != tf.uint8 or images.shape[1:].as_list() != expected:
            raise ValueError(
                f"Tuples of this model are uint8 [n, {', '.join(map(str, expected))}]. "
                f"Received: {images.dtype.name} {images.shape.as_list()}"
            )
        return self._restored.signatures["score"](images=images)["score"]


def load(path: str | Path) -> ExportedModel:
    """Loads what `bin/export` or `model.export` wrote, on either stack.

    A SavedModel is a program that TensorFlow runs: load only what you would run.

    Args:
        path: a version's folder, such as `saved_models/faces/1`, or the one above it for its newest
            version.

    Raises:
        FileNotFoundError: there is no SavedModel at `path`.
        ValueError: it is damaged, or another program's.
    """
    path = _version(local_path(path))
    # They warn that the gradients of gradients are not there, which nothing here asks for.
    loggers = tf.get_logger(), logging.get_absl_logger()
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel("ERROR")
    try:
        restored = tf.saved_model.load(str(path))
    # Damaged files raise all kinds of errors, from OSError to those of the protocol buffers.
    except Exception as error:
        raise ValueError(f"The SavedModel in {path} cannot be read: {error}") from error
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
    missing = [name for name in FUNCTIONS if not callable(getattr(restored, name, None))]
    if missing:
        raise ValueError(
            f"The SavedModel in {path} is another program's, or an older version's: it has no "
            f"{', '.join(missing)}. Write it by `bin/export`."
        )
    return ExportedModel(path, restored)


def from_pretrained(name: str = "drawn") -> ExportedModel:
    """Loads a trained model that comes with the package.

    Args:
        name: `"drawn"`: imagined drawn people, 64x64, trained by `flags/quickstart.cfg`; its card is
            `saved_models/drawn/README.md`.

    Raises:
        ValueError: there is no such model.

    Example:

    >>> model = from_pretrained("drawn")
    >>> model.generate(identities=2, observations=3, seed=1).shape
    (2, 3, 64, 64, 3)
    """
    if name not in PRETRAINED:
        raise ValueError(
            f"The trained models that come along are {', '.join(PRETRAINED)}; others are loaded by their "
            f"path, by `load_saved_model`. Received: name={name!r}"
        )
    return load(_installed(name))


def _installed(name: str) -> Path:
    """Where a trained model lies: in an installed package, or in a clone."""
    package = Path(__file__).parents[1]
    folder = package / "pretrained" / name
    return folder if folder.is_dir() else package.parent / "saved_models" / name


def _version(path: Path) -> Path:
    for folder in (path, *(path / str(number) for number in reversed(versions(path)))):
        if (folder / "saved_model.pb").is_file():
            return folder
    raise FileNotFoundError(
        f"There is no SavedModel in {path}: neither saved_model.pb nor a version's folder such as "
        f"{path / '1'}. Write one by `bin/export`."
    )
