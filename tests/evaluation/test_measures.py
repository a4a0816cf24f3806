"""Numbers on pairs, without real ones beside them."""

from __future__ import annotations

import painted
import pytest
import tiny

from sdgan_tf.evaluation import judge_auc, measures, megabytes, quick_numbers


def test_quick_numbers_tell_what_a_generator_ignores():
    judge = painted.verifier()
    perfect = quick_numbers(painted.Painter(), judge, pairs=100)
    assert perfect["auc"] == 1.0
    assert perfect["auc_same_observation"] == 0.5
    assert 0 < perfect["id_div"] < perfect["all_div"]
    blind = quick_numbers(painted.Painter(who=lambda codes: codes[:, 3:]), judge, pairs=100)
    assert blind["auc"] == pytest.approx(0.5, abs=0.2)
    assert blind["auc_same_observation"] == 1.0
    stiff = quick_numbers(painted.Painter(how=lambda codes: codes[:, :3]), judge, pairs=100)
    assert stiff["id_div"] == pytest.approx(0, abs=1e-6)
    assert perfect == quick_numbers(painted.Painter(), judge, pairs=100)
    assert perfect != quick_numbers(painted.Painter(), judge, pairs=100, seed=1)


def test_a_judge_is_judged_by_real_identities():
    clear, noisy = (painted.people(noise=noise) for noise in (0.01, 1.0))
    assert judge_auc(painted.verifier(), clear) > 0.99
    assert judge_auc(painted.verifier(), noisy) < 0.9


def test_pictures_are_embedded_in_parts(monkeypatch):
    monkeypatch.setattr("sdgan_tf.evaluation.measures._CHUNK", 5)
    told = []
    images = painted.people(identities=2).images
    found = measures.embed(painted.verifier(), images, lambda *news: told.append(news))
    assert found == pytest.approx(painted.verifier().embed(images))
    assert [done for done, *_ in told] == [5, 10, 12]


def test_megabytes_are_those_of_the_parameters():
    model = tiny.model()
    assert megabytes(model) == pytest.approx(4e-6 * sum(model.parameters().values()))
