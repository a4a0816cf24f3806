"""Model: a run of `bin/train`, or what `bin/export` wrote."""

from __future__ import annotations

from typing import Any

from absl import flags

from sdgan_tf import serving, training
from sdgan_tf.cli import data_flags
from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.models import AdversarialModel, ImageModel


def define(values: flags.FlagValues) -> None:
    """Defines the flags that name a trained model.

    Args:
        values: where to define them.
    """
    define_run(values)
    flags.DEFINE_string(
        "saved_model",
        None,
        "An exported model instead: a version's folder, or the one above for the newest.",
        flag_values=values,
    )


def define_run(values: flags.FlagValues) -> None:
    """Defines the flags that name a run."""
    flags.DEFINE_string("run_dir", None, "The folder of a run of bin/train.", flag_values=values)
    flags.DEFINE_string(
        "checkpoint",
        "newest",
        "Which checkpoint of the run: newest, best or the number of a step.",
        flag_values=values,
    )


def load(values: flags.FlagValues) -> ImageModel:
    """The model that the flags name."""
    if bool(values.run_dir) == bool(values.saved_model):
        raise ValueError(
            "Name the model by one of --run_dir and --saved_model. "
            f"Received: --run_dir={values.run_dir}, --saved_model={values.saved_model}"
        )
    return serving.load(values.saved_model) if values.saved_model else load_run(values)


def load_run(values: flags.FlagValues) -> AdversarialModel:
    """The model of the run that the flags name."""
    if not values.run_dir:
        raise ValueError("Name the run by --run_dir.")
    wanted = int(values.checkpoint) if values.checkpoint.isdigit() else values.checkpoint
    return training.load_run(values.run_dir, wanted)


def data_of_run(run_dir: str) -> dict[str, Any]:
    """What is known of the data that a run was trained on, see `serving.ExportedModel.data`."""
    trained = training.RunDirectory(run_dir).config()["data"]
    settings = data_flags.of_run(run_dir)
    for name in ("data_dir", "manifest"):
        settings.pop(name, None)  # A path tells others of this machine, and nothing of the data.
    return {**{name: trained[name] for name in ("fingerprint", "identities")}, "flags": settings}


def trained_on(values: flags.FlagValues, source: ImageModel, train: IdentityData) -> str:
    """Whether the model that the flags name was trained on these identities, in words."""
    data = data_of_run(values.run_dir) if values.run_dir else source.data
    if data is None:
        return "unknown data"
    return "these data" if data["fingerprint"] == train.fingerprint else "other data"


def splits(values: flags.FlagValues, source: Any = None) -> Splits:
    """The real identities that a source is held against.

    Data flags that the user did not give are those of the run or export, or fit the source's images.

    Args:
        values: the parsed flags, those of the data among them.
        source: anything with `image_size` and `channels`; None where there is none yet.
    """
    if values.run_dir:
        data_flags.adopt(data_flags.of_run(values.run_dir), values)
    elif source is not None:
        data_flags.adopt((getattr(source, "data", None) or {}).get("flags", {}), values)
        for name in ("image_size", "channels"):
            if not values[name].present:
                values[name].parse(str(getattr(source, name)))
    return data_flags.split(data_flags.load(values), values)
