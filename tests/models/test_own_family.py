"""A family that a user defines in a module of the own: it can do what those of the package can."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import sdgan_tf as sd
from sdgan_tf import registry
from tests.models.model_case import ModelCase, array, descending, weights
from tests.own_family import KINDS, OwnFamily

TINY = {"second_stage": 1, "image_size": 8, "dim": 2}


class TestBattery(ModelCase):
    """Everything that all families promise."""

    model_class = OwnFamily
    arguments = {**TINY, "ema": 0.9}


def make(**arguments):
    model = OwnFamily(**{**TINY, **arguments})
    model.compile(run_eagerly=True, **descending(0.1, model.players))
    return model


def test_it_is_known_by_its_name_with_all_arguments():
    assert registry.get("model", "own_family") is OwnFamily
    assert registry.name_of(OwnFamily) == "own_family"
    argument = registry.arguments(OwnFamily)["second_stage"]
    assert argument[:3] == ("second_stage", int, 1)
    assert argument.help == "steps before the refiner begins to learn."


def test_three_players_move_four_networks():
    model = make(ema=0.9)
    assert set(model.networks) == {
        *("generator", "refiner", "discriminator", "reader"),
        *("averaged_generator", "averaged_refiner"),
    }
    assert set(model.optimizers) == {"d", "g", "r"}
    assert set(model.parameters()) == {"generator", "refiner", "discriminator", "reader"}
    assert any(name.startswith("r_optimizer/") for name in model.state())


def test_the_second_stage_begins_at_its_step(tuples):
    model = make(second_stage=2)
    moved = []
    for _ in range(4):
        before = weights(model.refiner), weights(model.reader)
        logs = model.train_step(tf.constant(tuples()))
        pairs = zip(weights(model.refiner), before[0])
        moved.append(any(not np.array_equal(*pair) for pair in pairs))
        assert not np.array_equal(weights(model.reader)[0], before[1][0])
    assert moved == [False, False, True, True]
    assert float(logs["refined"]) == 0.5, "the running mean"


def test_images_pass_both_stages():
    model = make()
    image = model.generate(2, 2)
    bias = model.refiner.layers[-2].bias
    bias.assign(array(bias) + 0.5)
    assert np.all(model.generate(2, 2).astype(int) - image > 50)


def test_rows_are_of_one_kind():
    model = make()
    codes, _ = model.grid_codes(40, 1, truncation=0.5)
    assert codes.shape == (40, KINDS + 3)
    assert set(codes[:, :KINDS].flat) == {0, 1} and len(np.unique(codes[:, :KINDS], axis=0)) == 4
    # A code of a chosen kind.
    chosen = np.eye(KINDS, KINDS + 3, dtype=np.float32)
    assert model.generate(chosen, 2).shape == (KINDS, 2, 8, 8, 3)


def test_it_can_be_exported(tmp_path):
    model = make(ema=0.9)
    model.generator.finish.kernel.assign(20 * array(model.generator.finish.kernel))
    loaded = sd.load_saved_model(model.export(tmp_path / "1"))
    assert loaded.latents.slices == model.latents.slices
    np.testing.assert_array_equal(loaded.generate(3, 2, seed=1), model.generate(3, 2, seed=1))


@pytest.mark.parametrize("arguments", [{"d_i": 4}, {"dimm": 2}])
def test_what_it_does_not_take_is_refused(arguments):
    with pytest.raises(ValueError, match=f"Received: {next(iter(arguments))}="):
        make(**arguments)
