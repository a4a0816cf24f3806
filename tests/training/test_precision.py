"""Which precision is chosen on which machine."""

from __future__ import annotations

import pytest
import tensorflow as tf

from sdgan_tf.training import precision


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
