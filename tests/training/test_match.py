"""The watch for a discriminator that is blind to identity."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.models import SDGAN
from sdgan_tf.training import match
from tests import tiny


class Seeing(SDGAN):
    """A model whose discriminator compares the mean colours of a pair."""

    sharpness = 1.0

    def score(self, images):
        colours = tf.reduce_mean(tf.cast(images, tf.float32), [2, 3])
        return -self.sharpness * tf.reduce_sum(tf.abs(colours[:, 0] - colours[:, 1]), -1)


def coloured(identities=6):
    """Return people of one colour each, a little noisy."""
    colours = np.random.default_rng(0).integers(40, 216, (identities, 1, 1, 1, 3))
    noise = np.random.default_rng(1).integers(-5, 6, (identities, 4, 8, 8, 3))
    images = (colours + noise).astype(np.uint8).reshape(-1, 8, 8, 3)
    return IdentityData([f"p{i}" for i in range(identities)], [4] * identities, images)


def watch(model, train, unseen=None, every=1):
    """Return a watch at the start of training."""
    made = match.MatchWatch(train, unseen, every)
    made.set_model(model)
    made.on_train_begin()
    return made


def measured(made, step=1, **logs):
    """Return what the watch adds to the logs of a step."""
    made.run(step, logs)
    return logs


def test_a_discriminator_that_sees_identity_scores_high_and_a_blind_one_does_not():
    model = Seeing(image_size=8, dim=1, d_i=2, d_o=2)
    logs = measured(watch(model, coloured(), coloured(4)))
    assert set(logs) == {"match_auc", "match_auc_unseen"}
    assert logs["match_auc"] == pytest.approx(1.0) == logs["match_auc_unseen"]
    model.sharpness = 0.0
    assert measured(watch(model, coloured()))["match_auc"] == pytest.approx(0.5)
    model.sharpness = -1.0
    assert measured(watch(model, coloured()))["match_auc"] == pytest.approx(0.0)


def test_a_discriminator_may_be_blind_where_a_matcher_sees(capsys):
    seen = {"identity_features": 1.0, "embedder_dim": 2, "embedding_size": 4, "matcher_width": 3}
    model = Seeing(image_size=8, dim=1, d_i=2, d_o=2, **seen)
    model.sharpness = 0.0
    logs = measured(watch(model, coloured()), step=match.GRACE)
    assert logs["match_auc"] == pytest.approx(0.5)
    assert capsys.readouterr().err == ""


def test_blindness_is_told_once_and_not_before_its_time(capsys):
    model = Seeing(image_size=8, dim=1, d_i=2, d_o=2)
    model.sharpness = 0.0
    made = watch(model, coloured())
    measured(made, step=100)
    assert capsys.readouterr().err == ""
    for step in (match.GRACE, match.GRACE + 100):
        measured(made, step)
    told = capsys.readouterr().err
    assert told.count("does not see who is in an image (match_auc 0.50") == 1


def test_identity_in_the_observation_is_told(capsys):
    made = watch(Seeing(image_size=8, dim=1, d_i=2, d_o=2), coloured())
    measured(made, match.GRACE, auc_same_observation=0.69)
    assert capsys.readouterr().err == ""
    measured(made, match.GRACE, auc_same_observation=0.8)
    assert "identity lies in z_O (AUC 0.80" in capsys.readouterr().err


def test_models_and_data_without_tuples_to_mix_are_left_alone():
    single = tiny.model(k=1, mixed=0.0)
    assert measured(watch(single, tiny.people())) == {}
    alone = tiny.people(identities=1)
    assert measured(watch(tiny.model(), tiny.people(), alone)).keys() == {"match_auc"}
    assert measured(watch(tiny.model(), tiny.people(), every=0)) == {}
