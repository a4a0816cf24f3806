"""Which devices a model is trained on."""

from __future__ import annotations

import pytest

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


class Several:
    num_replicas_in_sync = 2


def test_a_batch_has_to_divide_by_the_replicas():
    strategies.check_batch(Several, 4)
    with pytest.raises(ValueError, match="shared by 2 replicas.*Received: batch_size=3"):
        strategies.check_batch(Several, 3)
