"""Which devices a model is trained on, and whether XLA compiles its step."""

from __future__ import annotations

import pytest
import tensorflow as tf

from sdgan_tf.training import strategies


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "TF_CONFIG lists the workers .* Received: TF_CONFIG = None"),
        ("{", "JSONDecodeError"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "IndexError"),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
            "Received: ps",
        ),
    ],
)
def test_a_damaged_tf_config_is_told_of(config, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message):
        strategies.make("multiworker")


def test_strategies_are_refused_where_they_make_no_sense():
    with pytest.raises(ValueError, match="Received: strategy='one', replicas=2"):
        strategies.make("one", 2)
    with pytest.raises(ValueError, match="Received: strategy='all'"):
        strategies.make("all")


@pytest.mark.parametrize("name", ["local", "no-tpu-of-that-name"])
def test_where_there_is_no_tpu(name, monkeypatch):
    monkeypatch.setenv("TPU_NAME", name)
    with pytest.raises(
        RuntimeError, match=f"There is no TPU: .*strategy='tpu', TPU_NAME = '{name}'"
    ):
        strategies.make("tpu")


class Several:
    num_replicas_in_sync = 2


def test_a_batch_has_to_divide_by_the_replicas():
    strategies.check_batch(Several, 4)
    with pytest.raises(ValueError, match="shared by 2 replicas.*Received: batch_size=3"):
        strategies.check_batch(Several, 3)


@pytest.mark.parametrize(
    ("asked", "devices", "expected"),
    [
        ("auto", (), False),
        ("auto", ("GPU",), True),
        ("auto", ("TPU",), True),
        ("on", (), True),
        ("off", ("GPU",), False),
    ],
)
def test_xla_is_for_devices_that_it_is_fast_on(asked, devices, expected, monkeypatch):
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: [k for k in devices if k == kind]
    )
    assert strategies.compiles(asked, strategies.make("one"))[0] == expected


def test_xla_is_for_one_replica():
    assert strategies.compiles("auto", Several) == (False, "there are several replicas")
    with pytest.raises(ValueError, match="Received: jit='on' on 2 replicas"):
        strategies.compiles("on", Several)
    with pytest.raises(ValueError, match="Received: jit='maybe'"):
        strategies.compiles("maybe", strategies.make("one"))
