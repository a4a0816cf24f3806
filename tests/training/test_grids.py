"""Grids: what they show, and where."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import sdgan_tf as sd
from sdgan_tf import training
from sdgan_tf.images import tile, to_uint8
from tests import tiny


@pytest.fixture(scope="module")
def model():
    """Return the smallest SD-BEGAN."""
    made = sd.SDBEGAN(image_size=16, dim=2, d_i=2, d_o=2)
    made.compile()
    return made


def test_reals_and_fakes_stand_above_their_reconstructions(model, tmp_path):
    people = tiny.people(size=16)
    grid = sd.callbacks.ReconstructionGrid(tmp_path, people, tuples=3, seed=5)
    grid.set_model(model)
    path = grid.write(7)
    assert path == tmp_path / "samples" / "reconstructions-00000007.png"
    real = next(iter(people.tuples(k=2, batch_size=3, seed=5)))["images"].numpy()
    fake = model.generate(3, 2, seed=5)
    rows = [real, to_uint8(model.reconstruct(real)), fake, to_uint8(model.reconstruct(fake))]
    expected = tile(np.stack([np.concatenate(list(row)) for row in rows]))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    assert expected.shape == (4 * 18 - 2, 6 * 18 - 2, 3)
    assert list((tmp_path / "tensorboard").glob("events*"))


@pytest.mark.once
def test_a_run_of_infogan_shows_each_continuous_code(tmp_path):
    model = sd.InfoGAN(image_size=8, channels=3, dim=2, categories=3, noise=2)
    model.compile()
    training.train(model, tiny.people(), tmp_path, training.Schedule(1, batch_size=2, log_every=0))
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        "continuous-1-00000001.png",
        "continuous-2-00000001.png",
        "reals.png",
        "step-00000001.png",
    ]
    rows, (code,) = model.grid_codes(3, 1)
    columns = np.stack([code] * 9)
    columns[:, 1] = np.linspace(-2, 2, 9)
    shown = np.asarray(Image.open(tmp_path / "samples" / "continuous-2-00000001.png"))
    np.testing.assert_array_equal(shown, tile(model.generate(rows, columns)))


def test_a_run_of_an_autoencoder_shows_reconstructions_beside_identities(model, tmp_path):
    schedule = training.Schedule(3, batch_size=2, log_every=0, grid_every=2)
    image = training.train(model, tiny.people(size=16), tmp_path, schedule)
    assert image == tmp_path / "samples" / "step-00000003.png"
    assert sorted(path.name for path in image.parent.iterdir()) == [
        "reals.png",
        *(f"reconstructions-{step:08d}.png" for step in (2, 3)),
        *(f"step-{step:08d}.png" for step in (2, 3)),
    ]
