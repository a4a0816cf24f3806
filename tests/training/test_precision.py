"""Which precision is chosen on which machine."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat, training
from sdgan_tf.training import precision
from tests import tiny


@pytest.fixture
def machine(monkeypatch):
    """Return a function that pretends to run on a machine."""

    def pretend(capability="no GPU", units=()):
        gpus = [] if capability == "no GPU" else ["GPU"]
        details = {"compute_capability": capability} if capability else {}
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
        monkeypatch.setattr(precision, "_bfloat16_units", lambda: list(units))

    return pretend


@pytest.mark.parametrize(
    ("capability", "units", "policy", "reason"),
    [
        ((9, 0), (), "mixed_bfloat16", "GPU computes in bfloat16"),
        ((8, 0), (), "mixed_bfloat16", "GPU computes in bfloat16"),
        ((7, 5), ("amx_bf16",), "float32", "older than bfloat16"),
        (None, (), "float32", "older than bfloat16"),
        ("no GPU", ("avx512_bf16", "amx_bf16"), "mixed_bfloat16", "has avx512_bf16, amx_bf16"),
        ("no GPU", (), "float32", "neither AVX512-BF16 nor AMX"),
    ],
)
def test_auto_asks_the_machine(machine, capability, units, policy, reason):
    machine(capability, units)
    chosen, why = precision.resolve("auto")
    assert chosen == policy and reason in why


@pytest.mark.parametrize("asked", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_is_taken_on_any_machine(machine, asked):
    for capability in ((9, 0), "no GPU"):
        machine(capability)
        assert precision.resolve(asked) == (asked, "as asked")


def test_other_names_are_refused():
    with pytest.raises(ValueError, match=r"one of \('auto', .*Received: precision='bfloat16'"):
        precision.resolve("bfloat16")


def test_units_are_whole_words_of_the_flags(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name : amx_bf16-less\nflags : fpu avx512_bf16 amx_tile amx_bf16x\n")
    assert precision._bfloat16_units(cpuinfo) == ["avx512_bf16"]
    cpuinfo.write_text("flags : fpu amx_bf16 avx2\n")
    assert precision._bfloat16_units(cpuinfo) == ["amx_bf16"]
    assert precision._bfloat16_units(tmp_path / "missing") == []


@pytest.mark.parametrize("options", [{}, pytest.param(tiny.MODERN, marks=pytest.mark.slow)])
def test_float16_trains_for_500_steps_and_tells_how_many_updates_it_left_out(options, tmp_path):
    model = tiny.model(precision="mixed_float16", **options)
    module = keras.optimizers if keras_compat.KERAS_3 else keras.mixed_precision
    # So high a scale that the first gradients overflow, and are scaled less until they do not.
    adams = {
        f"{player}_optimizer": module.LossScaleOptimizer(
            keras.optimizers.Adam(2e-3, beta_1=0.5), initial_scale=2.0**40
        )
        for player in model.players
    }
    model.compile(**adams, steps_per_execution=10)
    first = tiny.values(model)
    schedule = training.Schedule(
        500, batch_size=2, log_every=100, grid_every=0, checkpoint_every=0, steps_per_execution=10
    )
    training.train(model, tiny.people(), tmp_path, schedule)
    lines = training.RunDirectory(tmp_path).lines()
    skipped = [line["skipped_updates"] for line in lines]
    assert 10 < skipped[0] <= skipped[-1] < 100
    assert all(np.isfinite(line["d_loss"]) and np.isfinite(line["g_loss"]) for line in lines)
    for name, value in tiny.values(model).items():
        assert np.all(np.isfinite(value)), name
        if "kernel" in name:
            assert np.abs(value - first[name]).max() > 1e-3, name
    # A continued run counts on.
    assert tiny.values(model)["log/skipped_updates"] == skipped[-1]
