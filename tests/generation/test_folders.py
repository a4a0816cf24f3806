"""Imagined data sets: folders that our own reader takes."""

from __future__ import annotations

import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf.generation import load_codes, save_folder
from tests.painter import Painter


def test_a_folder_is_a_data_set_of_the_images(tmp_path):
    model = Painter()
    codes = model.grid_codes(3, 5)
    path = save_folder(model, *codes, tmp_path / "people", batch_size=4)
    people = sd.data.from_directory(path, image_size=4, k=5)
    assert list(people.names) == ["identity-00000", "identity-00001", "identity-00002"]
    np.testing.assert_array_equal(people.images, model.generate(3, 5).reshape(people.images.shape))
    # What they show can be shown again.
    again = load_codes(path / "codes.npz")
    np.testing.assert_array_equal(
        model.generate(again["identity"], again["observation"]), model.generate(3, 5)
    )


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    model = Painter()
    identity, observation = model.grid_codes(2, 3)
    observation[2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        save_folder(model, identity, observation, tmp_path / "people", batch_size=2)
    with pytest.raises(ValueError, match="1,000,000 images at most. Received: 2,000 identities"):
        save_folder(model, np.zeros([2000, 2]), np.zeros([600, 3]), tmp_path / "people")
    assert not list(tmp_path.iterdir())
    (tmp_path / "people").mkdir()
    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        save_folder(model, *model.grid_codes(2, 3), tmp_path / "people")


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_is_shown_on_request(verbose, tmp_path, capsys):
    model = Painter()
    save_folder(model, *model.grid_codes(3, 5), tmp_path / "people", batch_size=4, verbose=verbose)
    assert ("4/4" in capsys.readouterr().err) == verbose
