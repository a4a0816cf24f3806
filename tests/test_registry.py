"""The register of families and networks, and what it reads off their constructors."""

from __future__ import annotations

import inspect
import typing

import pytest
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import registry
from sdgan_tf.models.identity_features import IdentityFeatures
from sdgan_tf.models.penalties import Regularizers

REGISTERED = [
    (kind, name)
    for kind in registry.KINDS
    for name in registry.names(kind)
    if registry.get(kind, name).__module__.startswith("sdgan_tf")
]
# Keras' own, which says itself what it is.
UNDOCUMENTED = {"name"}


def test_all_families_and_networks_of_the_package_are_there():
    assert {name for kind, name in REGISTERED if kind == "model"} >= {
        *("sdgan", "sdbegan", "conditional", "infogan", "dpig", "dpig_maps", "stacked")
    }
    assert {("generator", "dcgan"), ("discriminator", "began"), ("identifier", "table")} <= set(
        REGISTERED
    )
    for kind, name in REGISTERED:
        assert registry.name_of(registry.get(kind, name)) == name


# What models take by `OPTIONS`.
OPTIONS = {"regularizers": Regularizers, "identity features": IdentityFeatures}


@pytest.mark.parametrize(("kind", "name"), [*REGISTERED, *(("option", name) for name in OPTIONS)])
def test_every_argument_has_a_help_and_a_default_or_none(kind, name):
    cls = OPTIONS[name] if kind == "option" else registry.get(kind, name)
    arguments = registry.arguments(cls)
    parameters = inspect.signature(cls.__init__).parameters
    assert arguments and set(arguments) < set(parameters)
    for argument in arguments.values():
        if argument.name not in UNDOCUMENTED:
            assert argument.help.endswith(".") and len(argument.help) > 5, argument
            assert not argument.help[0].isupper() and "**" not in argument.help, argument
        assert argument.type in (int, float, bool, str)
        assert argument.default is parameters[argument.name].default
        if argument.default is inspect.Parameter.empty:
            # No data set has a customary number of people.
            assert argument.name == "training_identities"
        elif argument.default is not None:
            assert isinstance(argument.default, argument.type), argument
        if argument.choices:
            assert argument.default in argument.choices


def test_choices_come_from_the_annotation():
    arguments = registry.arguments(registry.get("discriminator", "dcgan"))
    assert arguments["towers"].choices == ("siamese", "stacked")
    assert arguments["symmetric"].type is bool
    assert "outputs" not in arguments, "which the model says"


def test_a_constructor_is_read_however_it_is_written():
    class Thing:
        """A thing.

        Args:
            first: how many, if
                not all: some.
            second: a word.
            **more: whatever
                else there is.

        Example:

        third: not an argument.
        """

        def __init__(self, first: int, second=0.5, third: str | keras.Model = "a", fourth=None,
                     fifth: typing.Literal["x", "y"] = "x", sixth: list = (), *args, **more):  # fmt: skip
            pass

    arguments = registry.arguments(Thing)
    types = {name: argument.type for name, argument in arguments.items()}
    assert types == {"first": int, "second": float, "third": str, "fifth": str}
    assert arguments["first"].default is inspect.Parameter.empty
    assert arguments["first"].help == "how many, if not all: some."
    assert arguments["second"].help == "a word." and arguments["third"].help == ""
    assert arguments["fifth"].choices == ("x", "y")


def test_values_that_are_no_choice_are_refused():
    with pytest.raises(ValueError, match=r"join of a Siamese.* one of \('conv', 'dense'\).*'sum'"):
        sd.networks.SiameseDCGANDiscriminator(join="sum")


def test_a_class_of_the_users_own_is_found_and_saved(tmp_path):
    @sd.register("generator", "tests_registry")
    class Own(keras.Sequential):
        pass

    assert registry.get("generator", "tests_registry") is Own
    assert "tests_registry" in registry.names("generator")
    assert registry.name_of(Own) == "tests_registry"
    # Known to Keras' files, too.
    network = Own([keras.Input([2]), keras.layers.Dense(3)])
    network.save(tmp_path / "own.keras")
    assert type(keras.models.load_model(tmp_path / "own.keras")) is Own


def test_names_are_taken_once():
    def define(module):
        cls = type("Twice", (), {"__module__": module, "get_config": lambda self: {}})
        return sd.register("generator", "tests_twice")(cls)

    define("tests.one")
    with pytest.raises(ValueError, match=r"'tests_twice' is tests.one.Twice already.*two.Twice"):
        define("tests.two")
    # A module that is imported anew replaces its own classes.
    again = define("tests.one")
    assert registry.get("generator", "tests_twice") is again


def test_unknown_names_and_kinds_are_refused():
    with pytest.raises(ValueError, match=r"one of \[.*'sdgan'.*import_module.*model='dcgan'"):
        registry.get("model", "dcgan")
    with pytest.raises(ValueError, match=r"one of \('model', .*Received: kind='optimizer'"):
        sd.register("optimizer", "adam")
    with pytest.raises(ValueError, match=r"put @sd.register\('model', 'my_model'\).*Nameless"):
        registry.name_of(type("Nameless", (), {}))
    with pytest.raises(ValueError, match="Received: generator='gan'"):
        sd.SDGAN(generator="gan", image_size=8)
