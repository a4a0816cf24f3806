"""One register of model families and networks: what the command line, `load_run`, the export and user code look up by
name.

    @register("model", "my_gan")
    class MyGAN(AdversarialModel): ...

puts a class into the register and into Keras' own, so that saved files find it, too. The flags of `bin/train`, their
defaults and their help are read off the constructor: its signature and the `Args:` of its docstring.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tensorflow import keras

KINDS = (
    *("model", "generator", "discriminator"),
    *("identifier", "recogniser", "encoder", "embedder", "matcher"),
)

_CLASSES: dict[str, dict[str, type]] = {kind: {} for kind in KINDS}
_TYPES = {"int": int, "float": float, "bool": bool, "str": str}

# Classes under this decorator load from saved files by name, without custom_objects.
serializable = keras.utils.register_keras_serializable("sdgan_tf")


def register(kind: str, name: str) -> Callable[[type], type]:
    """A class decorator that makes a class known by name.

    Args:
        kind: `"model"`, `"generator"`, `"discriminator"`, `"identifier"`, `"recogniser"`, `"encoder"`, `"embedder"`
            or `"matcher"`.
        name: what `--model`, `--generator` and so on call it.

    Raises:
        ValueError: an unknown kind, or a name that another class has.
    """
    if kind not in KINDS:
        raise ValueError(f"What is registered is one of {KINDS}. Received: kind={kind!r}")

    def decorate(cls: type) -> type:
        other = _CLASSES[kind].get(name)
        # A module that is imported anew, as in a notebook, replaces its own classes.
        if other and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"The {kind} {name!r} is {other.__module__}.{other.__qualname__} already: take another name. "
                f"Received: {cls.__module__}.{cls.__qualname__}"
            )
        _CLASSES[kind][name] = cls
        package = cls.__module__.split(".")[0]
        return keras.utils.register_keras_serializable(package)(cls)

    return decorate


def get(kind: str, name: str) -> type:
    """The class of a kind that is called `name`."""
    classes = _CLASSES[kind]
    if name not in classes:
        raise ValueError(
            f"The {kind} is one of {sorted(classes)}; import the module that registers another one first, from the "
            f"command line by import_module=MODULE. Received: {kind}={name!r}"
        )
    return classes[name]


def names(kind: str) -> list[str]:
    """All names of a kind, in order."""
    return sorted(_CLASSES[kind])


def name_of(cls: type) -> str:
    """The name that a class is registered by, whatever its kind."""
    for classes in _CLASSES.values():
        for name, other in classes.items():
            if other is cls:
                return name
    raise ValueError(
        f"{cls.__name__} has no name to find it by: put @sd.register('model', 'my_model') above its class. "
        f"Received: {cls.__module__}.{cls.__qualname__}"
    )


class Argument(NamedTuple):
    """An argument of a constructor that plain text can give.

    Attributes:
        name: of the argument.
        type: `int`, `float`, `bool` or `str`.
        default: its default; `inspect.Parameter.empty` where it has none.
        choices: all values that it may have, or None.
        help: what the docstring says of it.
    """

    name: str
    type: type
    default: Any
    choices: tuple[str, ...] | None
    help: str


def arguments(cls: type) -> dict[str, Argument]:
    """The arguments of a constructor whose values are numbers, words, true or false; by name, in order."""
    helps = _helps(inspect.getdoc(cls) or "")
    described = {}
    for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        kind, choices = _type(parameter)
        if kind is not None:
            described[name] = Argument(name, kind, parameter.default, choices, helps.get(name, ""))
    return described


def check_choices(made: Any) -> None:
    """Refuses an object whose attributes are none of the choices of its constructor's arguments of the same name."""
    for name, argument in arguments(type(made)).items():
        if argument.choices and getattr(made, name) not in argument.choices:
            raise ValueError(
                f"{name} of a {type(made).__name__} is one of {argument.choices}. "
                f"Received: {name}={getattr(made, name)!r}"
            )


def _type(parameter: inspect.Parameter) -> tuple[type | None, tuple[str, ...] | None]:
    """The type of what may be given as text, and its choices: from the annotation, which is text or a type, or else
    from the default.
    """
    kind = parameter.annotation
    if kind is parameter.empty:
        kind = type(parameter.default)
    text = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
    if text.startswith("Literal["):
        return str, tuple(ast.literal_eval(f"({text[8:-1]},)"))
    # A network is given as one or by its name.
    return _TYPES.get(text.split("|")[0].strip()), None


def _helps(doc: str) -> dict[str, str]:
    """What the section `Args:` of a docstring says of each argument."""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", doc, re.MULTILINE)
    helps: dict[str, str] = {}
    name = ""
    for line in section.group(1).splitlines() if section else []:
        entry = re.match(r" {4}\**(\w+): (.*)", line)
        if entry:
            name, helps[entry.group(1)] = entry.groups()
        elif name and line.strip():
            helps[name] += " " + line.strip()
    return helps
