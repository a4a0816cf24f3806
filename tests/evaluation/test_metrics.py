"""Numbers on pairs, without real ones beside them."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.evaluation import (
    VerifierError,
    generator_metrics,
    megabytes,
    metrics,
    verifier_auc,
)
from tests import painted, tiny


def test_generator_metrics_tell_what_a_model_ignores():
    verifier = painted.verifier()
    perfect = generator_metrics(painted.Painter(), verifier, pairs=100)
    assert perfect["auc"] == 1.0
    assert perfect["auc_same_observation"] == 0.5
    assert 0 < perfect["id_div"] < perfect["all_div"]
    blind = generator_metrics(painted.Painter(who=lambda codes: codes[:, 3:]), verifier, pairs=100)
    assert blind["auc"] == pytest.approx(0.5, abs=0.2)
    assert blind["auc_same_observation"] == 1.0
    stiff = generator_metrics(painted.Painter(how=lambda codes: codes[:, :3]), verifier, pairs=100)
    assert stiff["id_div"] == pytest.approx(0, abs=1e-6)
    assert perfect == generator_metrics(painted.Painter(), verifier, pairs=100)
    assert perfect != generator_metrics(painted.Painter(), verifier, pairs=100, seed=1)


def test_a_verifier_is_measured_on_real_identities():
    clear, noisy = (painted.people(noise=noise) for noise in (0.01, 1.0))
    assert verifier_auc(painted.verifier(), clear) > 0.99
    assert verifier_auc(painted.verifier(), noisy) < 0.9


def test_images_are_embedded_in_parts(monkeypatch):
    monkeypatch.setattr("sdgan_tf.evaluation.metrics._CHUNK", 5)
    images = painted.people(identities=2).images
    expected = painted.verifier().embed(images)
    assert metrics.embed(painted.verifier(), images) == pytest.approx(expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_of_broken_embeddings_are_refused(value):
    broken = painted.verifier()
    broken.embed = lambda images: np.full([len(images), 2], value)
    for measure in (
        lambda: generator_metrics(painted.Painter(), broken, pairs=20),
        lambda: verifier_auc(broken, painted.people()),
    ):
        with pytest.raises(VerifierError, match="finite numbers.*from 'left'"):
            measure()


def test_megabytes_are_those_of_the_parameters():
    model = tiny.model()
    assert megabytes(model) == pytest.approx(4e-6 * sum(model.parameters().values()))
