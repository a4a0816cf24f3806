"""What judges of tuples compare, and what they pay."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import objectives
from sdgan_tf.models.judges import Judge

JUDGES = [
    Judge("plain", "discriminator"),
    Judge("mixing", "discriminator", 2.0, 0.5),
    Judge("strangers", "embedder", 3.0, strangers=True),
]


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.name)
@pytest.mark.parametrize("name", ["dcgan", "lsgan", "hinge"])
def test_one_that_guesses_pays_its_chance(judge, name):
    objective, real = objectives.get(name), tf.zeros([4, 2, 1])
    scores = [tf.zeros([4])] * 3
    paid = judge.loss(objective, scores, real, tf.range(4))
    assert float(paid) == pytest.approx(judge.chance(objective)) and judge.chance(objective) > 0


def test_real_tuples_that_it_does_not_look_at_cost_nothing():
    objective, real = objectives.get("dcgan"), tf.zeros([4, 2, 1])
    scores = [tf.constant([-9.0, 1.0, 2.0, -9.0]), tf.ones([4]), tf.constant([9.0, 9.0, 3.0, 9.0])]
    identity, looked_at = tf.range(4), tf.constant([0.0, 1.0, 1.0, 0.0])
    paid = float(JUDGES[1].loss(objective, scores, real, identity, looked_at))
    mean = np.mean(np.logaddexp(0, [-1.0, -2.0])) + np.logaddexp(0, 1.0)
    # Mixed of the second and the third alone.
    assert paid == pytest.approx(2 * 0.5 * (mean + 0.5 * np.logaddexp(0, 3.0)), rel=1e-5)


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.name)
def test_where_it_looks_at_no_real_tuple_it_pays_nothing(judge):
    scores, nobody = [tf.ones([4])] * 3, tf.zeros([4])
    paid = judge.loss(objectives.get("dcgan"), scores, tf.zeros([4, 2, 1]), tf.range(4), nobody)
    assert float(paid) == 0


def test_what_is_compared():
    seen = [tf.reshape(tf.range(8.0), [4, 2, 1]), tf.zeros([4, 2, 1])]
    plain, mixing, strange = JUDGES
    assert [len(judge.classes(seen, mix=True)) for judge in JUDGES] == [2, 3, 2]
    assert len(mixing.classes(seen, mix=False)) == len(plain.classes(seen, mix=False)) == 2
    assert mixing.classes(seen, mix=True)[2][..., 0].numpy().tolist() == [
        [0, 7],
        [2, 1],
        [4, 3],
        [6, 5],
    ]
    pairs = strange.classes(seen, mix=True)[0][..., 0].numpy().tolist()
    assert pairs == [[0, 4], [1, 5], [2, 6], [3, 7]]
