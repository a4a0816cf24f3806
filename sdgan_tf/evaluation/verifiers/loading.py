"""Opens verifiers: our own, and networks that a user brings."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.evaluation.verifiers.faces import face_verifier
from sdgan_tf.evaluation.verifiers.verifier import CONFIG, WEIGHTS, Verifier, VerifierError
from sdgan_tf.files import local_path, read_arrays
from sdgan_tf.models import variables
from sdgan_tf.networks import Embedder

# In place of a path: the verifier that needs no training.
FACES = "dlib-faces"
# Bytes of the largest map that a network of our own may make of one image: images of 2,048 pixels need half of that.
MAX_MAP = 2**28


def load_verifier(
    path: str | Path,
    image_size: int | None = None,
    scale: str | None = None,
    metric: str | None = None,
) -> Verifier:
    """Opens a verifier: one of `train_verifier`, or a network of the user's such as FaceNet.

    Open only networks of people you trust: a SavedModel is a program, which runs with your rights.
    Lambda layers, which hold code, are refused in a `.keras` file.

    Args:
        path: a folder that `Verifier.save` wrote; or a SavedModel's folder or a `.keras` file,
            whose first input is a batch of images and whose first output their embeddings; or
            "dlib-faces" for `verifiers.faces.face_verifier`.
        image_size: of a brought network only: the edge of the images that it takes; None to read
            it from the network.
        scale: of a brought network only: of its input, see `Verifier`; None for "standardised".
        metric: of a brought network only: see `Verifier`; None for "cosine".

    Raises:
        VerifierError: there is no such verifier, it cannot be read, or it knows its own settings.
        ImportError: the extra `faces` is missing.
    """
    settings = (("image_size", image_size), ("scale", scale), ("metric", metric))
    given = [f"{name} {value}" for name, value in settings if value is not None]
    if given and knows_settings(path):
        raise VerifierError(
            f"{path} knows the size, the scale and the metric that it works with: leave them out. "
            f"Received: {', '.join(given)}"
        )
    if path == FACES:
        return face_verifier()
    path = local_path(path)
    try:
        if (path / CONFIG).is_file():
            return _load_own(path)
        network = _load_brought(path)
    except VerifierError:
        raise
    except Exception as error:  # Damaged files raise nearly anything.
        raise VerifierError(f"Could not read the verifier {path}: {error}") from error
    size, channels = _input_shape(network, path, image_size)
    return Verifier(network, path.stem, size, channels, scale or "standardised", metric or "cosine")


def knows_settings(path: str | Path) -> bool:
    """Whether a verifier brings its size, scale and metric along, as ours and dlib's do."""
    return path == FACES or (local_path(path) / CONFIG).is_file()


def _load_own(path: Path) -> Verifier:
    config = json.loads((path / CONFIG).read_text())
    # In version 0.1 there was no other pooling, and no word of it.
    network = Embedder(**{"pooling": "mean", **_plausible(config["network"], path)})
    # Its weights are stored as they are: what unpacks to more than the file has is none of ours.
    arrays = read_arrays(path / WEIGHTS, (path / WEIGHTS).stat().st_size)
    held = sum(array.size for array in arrays.values())
    if held != network.numbers():
        raise VerifierError(
            f"{path / WEIGHTS} does not fit {path / CONFIG}: it holds {held:,} numbers, the network takes "
            f"{network.numbers():,}."
        )
    network.build()
    state = variables.by_path(network, "verifier")
    if {name: tuple(value.shape) for name, value in state.items()} != {
        name: array.shape for name, array in arrays.items()
    }:
        raise VerifierError(f"{path / WEIGHTS} does not fit {path / CONFIG}.")
    for name, value in state.items():
        value.assign(arrays[name])
    size, channels = config["network"]["image_size"], config["network"]["channels"]
    return Verifier(network, config["name"], size, channels, facts=config["facts"])


def _plausible(settings: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings of a network of our own, unless they ask for more than a machine has, or for no network."""
    sizes = {name: settings[name] for name in ("image_size", "channels", "dim", "embedding_size")}
    wrong = [name for name, size in sizes.items() if type(size) is not int or not 0 < size <= 2**16]
    # The image, and the first map, of half its edge.
    widest = 1 if wrong else max(sizes["channels"], sizes["dim"] // 4)
    if wrong or sizes["channels"] not in (1, 3) or 4 * widest * sizes["image_size"] ** 2 > MAX_MAP:
        raise VerifierError(
            f"{path / CONFIG} is damaged: a network has positive sizes, 1 or 3 channels, and maps of "
            f"{MAX_MAP:,} bytes or fewer. Received: {sizes!r:.300}"
        )
    return settings


def _load_brought(path: Path) -> Any:
    if (path / "saved_model.pb").is_file():
        return _signature(tf.saved_model.load(str(path)))
    if path.suffix not in (".keras", ".h5", ".hdf5") or not path.is_file():
        raise VerifierError(
            "A verifier is a folder that `bin/evaluate train-verifier` wrote, a SavedModel's folder, "
            f"a .keras file, or {FACES}. Received: {path}{'' if path.exists() else ', which does not exist'}"
        )
    # Keras 2 takes anything else for HDF5, whatever its name, and runs the code in its layers.
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise VerifierError(
            "A Keras model has to be in the .keras format, because a model in HDF5 may run code when it is opened. "
            f"If you trust it, open it yourself and save it as a .keras file. Received: {path}"
        )
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _signature(loaded: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    if "serving_default" not in loaded.signatures:
        raise VerifierError(
            f"A SavedModel is used by its signature serving_default. Received: {sorted(loaded.signatures)}"
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


def _input_shape(network: Any, path: Path, image_size: int | None) -> tuple[int, int]:
    """Edge and channels of the images that a network takes."""
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise VerifierError(
            f"A verifier takes one batch of images, [n, height, width, channels]. Received: {path} with "
            f"inputs of shape {shape}"
        )
    _, height, width, channels = shape
    if image_size is None and (height is None or height != width):
        raise VerifierError(
            f"{path} does not say what size of images it takes: say it by verifier_size on the command line, or by the "
            "argument image_size. "
            f"Received: an input of shape {shape}"
        )
    return int(image_size or height), int(channels or 3)
