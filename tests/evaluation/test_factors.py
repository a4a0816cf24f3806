"""Which code moves which known factor."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation.factors import (
    FactorReader,
    between,
    components,
    shares,
    train_factor_reader,
)
from tests import tiny


def test_components_by_hand():
    # Rows 0 and 2, columns add nothing: all from the rows.
    assert components(np.array([[0.0, 0.0], [2.0, 2.0]])) == (2.0, 0.0, 0.0)
    assert components(np.array([[0.0, 2.0], [0.0, 2.0]])) == (0.0, 2.0, 0.0)
    # Means agree, only cells differ: the rest is 4 * 1 / 1, what it feigns in the means is taken off.
    assert components(np.array([[1.0, -1.0], [-1.0, 1.0]])) == (0.0, 0.0, 4.0)


def test_components_are_unbiased():
    rng = np.random.default_rng(0)
    estimates = [
        components(
            2.0 * rng.normal(size=(6, 1)) + rng.normal(size=(1, 5)) + 0.5 * rng.normal(size=(6, 5))
        )
        for _ in range(2000)
    ]
    np.testing.assert_allclose(np.mean(estimates, axis=0), [4.0, 1.0, 0.25], rtol=0.06)


def test_intervals_of_shares_hold_the_truth():
    """Half of the variance comes from the rows, a third from the columns."""

    class Painted:
        def generate(self, identities, observations, seed):
            rng = np.random.default_rng(seed)
            who, how = rng.normal(0, 30, [identities, 1]), rng.normal(0, 24.5, [1, observations])
            cell = rng.normal(0, 17.3, [identities, observations])
            values = np.clip(128 + who + how + cell, 0, 255).astype(np.uint8)
            return np.broadcast_to(values[..., None, None, None], [*values.shape, 8, 8, 3])

    def network(images):
        return images[:, 0, 0, :1]

    reader, real = FactorReader(network, ("light",), 1), tiny.people()
    held = []
    for seed in range(40):
        (light,) = shares(reader, Painted(), real, size=24, seed=seed, resamples=200)
        for truth, share, (low, high) in (
            (0.5, light.identity, light.identity_interval),
            (1 / 3, light.observation, light.observation_interval),
        ):
            assert low <= share <= high and high - low < 0.5
            held.append(low <= truth <= high)
    assert np.mean(held) > 0.85


def test_the_share_between_groups_is_unbiased_where_their_sizes_differ():
    rng = np.random.default_rng(0)
    counts = [2, 3, 9, 4, 2, 6] * 8
    shares = [
        between(
            np.repeat(rng.normal(size=len(counts)), counts) + rng.normal(0, 2, sum(counts)), counts
        )
        for _ in range(300)
    ]
    assert np.mean(shares) == pytest.approx(0.2, abs=0.02)
    assert between(np.ones(sum(counts)), counts) == 0.0
    assert between(np.repeat(np.arange(len(counts)), counts), counts) == 1.0


class Painter:
    """A model whose image's brightness comes from its row, and whose contrast is noise."""

    def generate(self, identities, observations, seed):
        rows = np.linspace(0, 255, identities).astype(np.uint8)
        grid = np.zeros([identities, observations, 8, 8, 3], np.uint8)
        grid[..., 0] = rows[:, np.newaxis, np.newaxis, np.newaxis]
        columns = np.linspace(0, 100, observations).astype(np.uint8)
        grid[..., 1] = columns[np.newaxis, :, np.newaxis, np.newaxis]
        return grid


def test_shares_tell_the_codes_apart_and_leave_out_what_is_not_read():
    def network(images):
        return (images[:, 0, 0] + 1.0) / 2.0

    reader = FactorReader(network, ("red", "green", "blue"), 1)
    reader.explained = np.array([0.9, 0.8, 0.1])
    red, green = shares(reader, Painter(), tiny.people(), size=8)
    assert (red.name, red.belongs_to, green.name, green.belongs_to) == (
        *("red", "identity"),
        *("green", "observation"),
    )
    assert red.identity == pytest.approx(1.0) and red.observation == pytest.approx(0.0)
    assert green.observation == pytest.approx(1.0) and green.identity == pytest.approx(0.0)
    assert 0.0 <= red.real <= 1.0
    real = np.std(tiny.people().images[:, 0, 0] / 255.0, axis=0)
    assert red.spread == pytest.approx(np.std(np.linspace(0, 1, 8)) / real[0], rel=0.02)


def painted(identities, observations, seed):
    """Return images whose red is a factor of the identity and whose green is one of the image;
    of a third factor nothing is seen.
    """
    rng = np.random.default_rng(seed)
    who = rng.uniform(size=(identities, 2)).astype(np.float32)
    how = rng.uniform(size=(identities * observations, 1)).astype(np.float32)
    images = np.zeros([len(how), 8, 8, 3], np.uint8)
    images[..., 0] = 255 * np.repeat(who[:, :1], observations, axis=0)[..., np.newaxis]
    images[..., 1] = 255 * how[..., np.newaxis]
    factors = {"identity": who, "observation": how}
    factors |= {"identity_names": ("red", "hidden"), "observation_names": ("green",)}
    names = [f"{seed}-{index}" for index in range(identities)]
    return IdentityData(names, [observations] * identities, images, factors=factors)


def test_the_reader_learns_and_is_measured_on_unseen_images():
    train, unseen = painted(30, 6, seed=1), painted(30, 6, seed=2)
    reader = train_factor_reader(train, unseen, steps=150, dim=4, rate=1e-2)
    assert reader.names == ("red", "hidden", "green") and reader.identity_factors == 2
    red, hidden, green = reader.explained
    assert min(red, green) > 0.8 and hidden < 0.3


def test_training_shows_its_progress(capsys):
    data = painted(4, 2, seed=1)
    train_factor_reader(data, data, steps=2, dim=2)
    assert capsys.readouterr().err == ""
    train_factor_reader(data, data, steps=2, dim=2, verbose=True)
    assert "Training the factor reader" in capsys.readouterr().err


def test_images_of_unknown_factors_are_refused():
    with pytest.raises(ValueError, match="sd.data.drawn.*Received: IdentityData"):
        train_factor_reader(tiny.people(), tiny.people())
