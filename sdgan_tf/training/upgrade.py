"""Translates what earlier versions wrote into run directories, so that their runs still load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sdgan_tf import registry

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


def with_later_options(config: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a run, with the options that came after the version that wrote it.

    They are taken from `asked`, the configuration that is to go on, where they are left at their defaults: a new option
    is off by default, and what a run without it computed stays the same.
    """
    model, wanted = config.get("model", {}), asked.get("model", {})
    if not model or model.get("name") != wanted.get("name"):
        return config
    takes = registry.arguments(registry.get("model", model["name"]))
    later = {
        name: value
        for name, value in wanted["config"].items()
        if name in takes and value == takes[name].default
    }
    completed = {**model, "config": {**later, **model["config"]}}
    if "parts" in wanted:
        # What is described there was not given, and so is a default.
        completed["parts"] = _filled(model.get("parts", {}), wanted["parts"])
    # Before there could be several.
    replicas = {"replicas": 1} if "replicas" in asked else {}
    return {**replicas, **config, "model": completed}


def _filled(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries: `old` with what only `new` has."""
    both = [key for key in old if isinstance(old[key], dict) and isinstance(new.get(key), dict)]
    return {**new, **old, **{key: _filled(old[key], new[key]) for key in both}}


def arrays(saved: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint, of whatever version, by the names that this version uses."""
    if "rollback" in saved:
        return dict(saved)
    renamed = {
        name.replace("averaged/", "averaged_generator/", 1): value for name, value in saved.items()
    }
    rollbacks = renamed.pop("attempt", np.int64(0))
    return {**renamed, "rollback": rollbacks}
