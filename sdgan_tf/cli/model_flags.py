"""Model: what learns. A flag that is not given leaves the default of the model's constructor, the paper's."""

from __future__ import annotations

import inspect
from typing import Any

from absl import flags

from sdgan_tf import registry
from sdgan_tf.learning_rates import HalvingRate
from sdgan_tf.models import AdversarialModel  # which registers all models
from sdgan_tf.training import precision, strategies

# What other flags give, or the data do.
ELSEWHERE = (
    "image_size",
    "channels",
    "code_size",
    "precision",
    "seed",
    "name",
    "training_identities",
)
DEFAULT = "sdgan"
OPTIMIZER_FLAGS = ("d_rate", "g_rate", "halve_every", "beta_1", "beta_2")


def define(values: flags.FlagValues) -> None:
    """Defines the flags: one for each argument of the registered models and of their parts.

    Args:
        values: where to define them.
    """
    at = {"flag_values": values}
    flags.DEFINE_enum(
        "model", "sdgan", registry.names("model"), "The registered model that is trained.", **at
    )
    flags.DEFINE_integer("seed", 0, "Seed of everything random in training.", 0, **at)
    flags.DEFINE_enum(
        "precision",
        "auto",
        precision.CHOICES,
        "Precision policy. With auto it is bfloat16 where the machine is fast in it, otherwise float32.",
        **at,
    )
    flags.DEFINE_enum(
        "jit",
        "auto",
        strategies.JIT,
        "Whether XLA compiles the train step. With auto it does on GPUs and TPUs, where it is faster.",
        **at,
    )
    for name, takers in _takers().items():
        _define(name, takers, at)
    for name, help in (
        ("d_rate", "Constant learning rate of the discriminators, in place of the model's own."),
        ("g_rate", "Constant learning rate of the generators, in place of the model's own."),
        ("beta_1", "Adam's beta_1 for both optimizers, in place of the model's own."),
        ("beta_2", "Adam's beta_2 for both optimizers, in place of the model's own."),
    ):
        flags.DEFINE_float(name, None, help, lower_bound=0.0, **at)
    flags.DEFINE_integer(
        "halve_every",
        None,
        "Updates of a network after which its learning rate halves, again and again, in place of the model's own. A fifth to a "
        "third of the training steps calms a long run down; 0 keeps the rate constant.",
        lower_bound=0,
        **at,
    )


def _takers() -> dict[str, dict[str, registry.Argument]]:
    """The arguments of all registered models and of their parts: by name, then by what takes them, the default model
    and its default networks first.
    """
    takers: dict[str, dict[str, registry.Argument]] = {}
    for model in sorted(registry.names("model"), key=lambda name: name != DEFAULT):
        maker = registry.get("model", model)
        usual = {item.name: item.default for item in registry.arguments(maker).values()}
        parts = [(kind, name) for kind in maker.KINDS for name in registry.names(kind)]
        parts.sort(key=lambda part: usual.get(part[0]) != part[1])
        owners = [(model, maker), *((model, part) for part in maker.OPTIONS)]
        owners += [(f"{kind} {name}", registry.get(kind, name)) for kind, name in parts]
        for owner, cls in owners:
            for argument in registry.arguments(cls).values():
                if argument.name not in ELSEWHERE:
                    takers.setdefault(argument.name, {}).setdefault(owner, argument)
    # What a model takes itself it hands on to its networks: theirs is no other.
    models = registry.names("model")
    return {
        name: {owner: taken for owner, taken in owners.items() if owner in models} or owners
        for name, owners in takers.items()
    }


def _define(name: str, takers: dict[str, registry.Argument], at: dict[str, Any]) -> None:
    first = next(iter(takers.values()))
    help = first.help[:1].upper() + first.help[1:]
    defaults: dict[Any, list[str]] = {}
    for owner, argument in takers.items():
        defaults.setdefault(argument.default, []).append(owner)
    told = "; ".join(
        f"{'none' if default in ('', None) else default} of {', '.join(owners)}"
        for default, owners in defaults.items()
    )
    help = f"{help} Default: {told}.".strip()
    if first.choices:
        choices = sorted({choice for taker in takers.values() for choice in taker.choices or ()})
        flags.DEFINE_enum(name, None, choices, help, **at)
    elif first.type is bool:
        flags.DEFINE_bool(name, None, help, **at)
    else:
        kinds = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}
        kinds[first.type](name, None, help, **at)


def tuple_size(values: flags.FlagValues) -> int:
    """Images in a tuple, as asked or by default."""
    return registry.get("model", values.model).tuple_size(**_given(values))


def build(values: flags.FlagValues, identities: int) -> AdversarialModel:
    """The compiled model that the flags ask for, to be trained on so many identities."""
    maker, given = registry.get("model", values.model), _given(values)
    takes = inspect.signature(maker.__init__).parameters
    options = any(parameter.kind == parameter.VAR_KEYWORD for parameter in takes.values())
    foreign = [] if options else sorted(set(given) - set(takes))
    if foreign:
        raise ValueError(
            f"The model {values.model} takes {', '.join(registry.arguments(maker))}. "
            f"Received: {', '.join(f'{name}={given[name]}' for name in foreign)}"
        )
    policy, reason = precision.resolve(values.precision)
    known = {
        "image_size": values.image_size,
        "channels": int(values.channels),
        "precision": policy,
        "seed": values.seed,
        "training_identities": identities,
    }
    model = maker(**given, **{name: value for name, value in known.items() if name in takes})
    rates = {"d": values.d_rate, "g": values.g_rate}
    optimizers = {
        # Of several levels each has its own, such as "top_d".
        f"{player}_optimizer": _adjusted(optimizer, rates.get(player.rpartition("_")[2]), values)
        for player, optimizer in model.default_optimizers().items()
    }
    compiled, why = strategies.compiles(values.jit, model.distribute_strategy)
    model.compile(jit_compile=compiled, **optimizers)
    print(f"Precision: {policy} ({reason}). XLA: {'on' if compiled else 'off'} ({why}).")
    return model


def _given(values: flags.FlagValues) -> dict[str, Any]:
    """The arguments that were given, by name."""
    return {
        flag.name: flag.value
        for flag in values.flags_by_module_dict()[__name__]
        if flag.value is not None
        and flag.name not in ("model", "precision", "seed", "jit", *OPTIMIZER_FLAGS)
    }


def _starting_rate(optimizer: dict[str, Any], rate: float | None) -> float:
    """The rate that was asked for, otherwise the one that an optimizer of this configuration begins with."""
    rate = optimizer["learning_rate"] if rate is None else rate
    if isinstance(rate, dict):
        schedule, rate = rate["class_name"], rate["config"].get("rate")
        if rate is None:
            raise ValueError(
                f"halve_every needs a rate to begin with: give d_rate and g_rate. Received: the model's own {schedule}"
            )
    return float(rate)


def _adjusted(optimizer: Any, rate: float | None, values: flags.FlagValues) -> Any:
    """The optimizer with the flags' numbers in place of its own."""
    config = optimizer.get_config()
    if values.halve_every is not None:
        rate = HalvingRate(_starting_rate(config, rate), values.halve_every, floor=0.0)
    wanted = {"learning_rate": rate, "beta_1": values.beta_1, "beta_2": values.beta_2}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    foreign = sorted(set(wanted) - set(config))
    if foreign:
        raise ValueError(
            f"The model's optimizer, {type(optimizer).__name__}, has no {', '.join(foreign)}. "
            f"Received: {', '.join(f'{name}={wanted[name]}' for name in foreign)}"
        )
    return type(optimizer).from_config({**config, **wanted}) if wanted else optimizer
