"""SavedModels for TF Serving: four signatures whose first dimension is the batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from sdgan_tf import registry
from sdgan_tf.files import atomic_folder, local_path
from sdgan_tf.images import to_uint8
from sdgan_tf.keras_compat import tensor_of
from sdgan_tf.models import AdversarialModel
from sdgan_tf.serving import warmup
from sdgan_tf.version import __version__

MAX_ROWS = 64
MAP_BYTES = 128 * 2**20


class ServedModel(tf.Module):
    """What is written: the variables that the signatures read, and beside the signatures what only
    `sdgan_tf.serving.load` asks for. Nothing of Keras or of this package.

    Attributes:
        images: codes float32 [n, d_I + d_O] to float32 [n, h, w, c] in [-1, 1], differentiable.
        identity_codes: seeds int64 [n] to float32 [n, d_I].
        observation_codes: seeds int64 [n] to float32 [n, d_O].
        description: nothing to a string, JSON of what was exported.
    """

    def __init__(self, model: AdversarialModel, data: Mapping[str, Any] | None = None):
        super().__init__()
        # Of networks that have an average the average is served.
        served = {name: model.best(name) for name in model.networks}
        networks = {id(network): network for network in served.values()}.values()
        self.weights = [tensor_of(variable) for net in networks for variable in net.variables]
        described = {
            "model": registry.name_of(type(model)),
            "step": model.completed_steps,
            "latents": model.latents.get_config(),
            "image_size": model.image_size,
            "channels": model.channels,
            "k": model.k,
            "identities": model.identities,
            "observations": model.observations,
            "scores": scores(model),
            "data": None if data is None else dict(data),
            "sdgan_tf": __version__,
        }
        codes = tf.TensorSpec([None, model.latents.size], tf.float32)
        seeds = tf.TensorSpec([None], tf.int64)

        @tf.function(input_signature=[codes])
        def images(codes):
            return model(codes)

        @tf.function(input_signature=[seeds])
        def identity_codes(seeds):
            return model.identity_codes(seeds)

        @tf.function(input_signature=[seeds])
        def observation_codes(seeds):
            return model.observation_codes(seeds)

        @tf.function(input_signature=[])
        def description():
            return tf.constant(json.dumps(described))

        self.images, self.description = images, description
        self.identity_codes, self.observation_codes = identity_codes, observation_codes


def signatures(model: AdversarialModel) -> dict[str, tf.types.experimental.ConcreteFunction]:
    """The serving functions of `model`, by signature name:

    | name | in | out |
    |---|---|---|
    | `serving_default` | `identity` f32 [n, d_I], `observation` f32 [n, d_O] | `images` u8 [n, h, w, c] |
    | `generate_png` | the same | `image_bytes` string [n] |
    | `sample` | `identity_seed` i64 [n], `observation_seed` i64 [n] | `images`, `identity`, `observation` |
    | `score` | `images` u8 [n, k, h, w, c] | `score` f32 [n], of models that score tuples |

    Rows are independent of each other, so a server may merge requests. Inputs of other shapes are
    refused. A code that is NaN or infinite gives a black image: an error would also fail the
    requests that it was merged with.
    """
    space = model.latents

    def images_of(identity, observation):
        codes = space.join(identity, observation)
        images = to_uint8(model(codes))
        finite = tf.reduce_all(tf.math.is_finite(codes), axis=-1)
        return tf.where(finite[:, None, None, None], images, tf.zeros_like(images))

    def generate(identity, observation):
        return {"images": images_of(identity, observation)}

    def generate_png(identity, observation):
        images = images_of(identity, observation)
        return {"image_bytes": tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)}

    def sample(identity_seed, observation_seed):
        identity = model.identity_codes(identity_seed)
        observation = model.observation_codes(observation_seed)
        images = images_of(identity, observation)
        return {"images": images, "identity": identity, "observation": observation}

    def score(images):
        return {"score": model.score(images)}

    codes = {
        "identity": tf.TensorSpec([None, space.d_i], tf.float32, "identity"),
        "observation": tf.TensorSpec([None, space.d_o], tf.float32, "observation"),
    }
    seeds = {
        name: tf.TensorSpec([None], tf.int64, name)
        for name in ("identity_seed", "observation_seed")
    }
    size = model.image_size
    tuples = {
        "images": tf.TensorSpec([None, model.k, size, size, model.channels], tf.uint8, "images")
    }
    asked = {
        "serving_default": (generate, codes),
        "generate_png": (generate_png, codes),
        "sample": (sample, seeds),
    }
    if scores(model):
        asked["score"] = (score, tuples)
    return {name: _concrete(function, specs) for name, (function, specs) in asked.items()}


def scores(model: AdversarialModel) -> bool:
    """Whether a model scores tuples, which not every family does."""
    return type(model).score is not AdversarialModel.score


def _concrete(function: Callable, specs: dict[str, tf.TensorSpec]):
    def checked(**inputs):
        # Python checks the shapes that it feeds, TF Serving does not: a code one wider beside
        # another one narrower would go unnoticed.
        return function(
            **{name: tf.ensure_shape(value, specs[name].shape) for name, value in inputs.items()}
        )

    return tf.function(checked).get_concrete_function(**specs)


def export(
    model: AdversarialModel, path: str | Path, data: Mapping[str, Any] | None = None
) -> Path:
    """Writes `model` as a SavedModel, whole or not at all, that needs TensorFlow alone.

    Where the extra `serving` is installed, warm-up requests for TF Serving lie beside it.

    Args:
        model: the model; its averaged generator is the one that is served, where there is one.
        path: the version's folder, such as `saved_models/faces/1`. TF Serving expects a number as
            its name.
        data: what the export shall say of the data that the model was trained on, see
            `ExportedModel.data`.

    Returns:
        The path.

    Raises:
        FileExistsError: there is something at `path` already.
        OSError: it cannot be written.
    """
    path = local_path(path)
    model.recalibrate()
    with atomic_folder(path) as folder:
        functions, served = signatures(model), ServedModel(model, data)
        try:
            tf.saved_model.save(served, str(folder), signatures=functions)
            if warmup.available():
                requests = warmup.requests(functions, path.resolve().parent.name, batch_rows(model))
                warmup.write(folder, requests)
        # To TensorFlow a full disk is no OSError.
        except tf.errors.OpError as error:
            raise OSError(
                f"Cannot write to {path}: {error.message}. Nothing is left there."
            ) from error
    return path


def batch_rows(model: AdversarialModel) -> int:
    """How many rows a server should compute at once: 64, or fewer where images are large.

    A power of two, chosen so that one map of the batch's features, of 64 channels or more, takes 128 MiB at most.
    """
    width = max(64, getattr(model.generator, "dim", 0))
    rows = MAP_BYTES // (4 * model.image_size**2 * width * model.k)
    return min(MAX_ROWS, 2 ** max(rows.bit_length() - 1, 0))


def next_version(folder: str | Path) -> Path:
    """The next free version below `folder`: `folder/1` in an empty or missing one, else one more
    than the greatest.
    """
    folder = local_path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"Versions are sub-folders, but {folder} is a file.")
    return folder / str(max(versions(folder), default=0) + 1)


def versions(folder: Path) -> list[int]:
    """The numbers of the versions below `folder`, in order."""
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())
