"""Translates what earlier versions wrote into run directories, so that their runs still load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# Version 0.1.0 wrote class names.
_MODELS = {"SDGAN": "sdgan", "SDBEGAN": "sdbegan"}
_ARGUMENTS = {"codes": "law", "d_init": "initializer"}


def run_config(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run, of whatever version, as this version writes it.

    Raises:
        ValueError: the run is of a model that no longer exists.
    """
    model = config["model"]
    if "name" in model:
        return config
    if model["class"] not in _MODELS:
        raise ValueError(
            "The baselines of version 0.1.0 kept codes and real photographs in their generators, which no model does any "
            "more. Train it anew by model='conditional', see flags/acdcgan.cfg and the other presets. "
            f"Received: a run of {model['class']}"
        )
    arguments = {_ARGUMENTS.get(key, key): value for key, value in model["config"].items()}
    optimizers = {key[: -len("_optimizer")]: value for key, value in config["optimizers"].items()}
    model = {"name": _MODELS[model["class"]], "config": arguments}
    return {**config, "model": model, "optimizers": optimizers}


def arrays(saved: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint, of whatever version, by the names that this version uses."""
    if "rollback" in saved:
        return dict(saved)
    renamed = {
        name.replace("averaged/", "averaged_generator/", 1): value for name, value in saved.items()
    }
    return {**renamed, "rollback": renamed.pop("attempt", np.int64(0))}
