"""Who is in which file: both layouts, and what belongs to none."""

from __future__ import annotations

import os

import pytest

from sdgan_tf.data.sources import find_images


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_folder_per_identity_in_order(tmp_path):
    touch(tmp_path, "b/2.png", "b/10.JPG", "a/x.webp", "a/y.jpeg", "a/.hidden.png", ".git/z.png")
    listing = find_images(tmp_path)
    assert listing.layout == "folders"
    assert list(listing.identities.items()) == [
        ("a", [os.path.join("a", "x.webp"), os.path.join("a", "y.jpeg")]),
        ("b", [os.path.join("b", "10.JPG"), os.path.join("b", "2.png")]),
    ]
    assert listing.images == 4
    assert not listing.ignored and not listing.nested and not listing.broken


def test_flat_names(tmp_path):
    touch(tmp_path, "m_01_0_crop.png", "m_01_1_crop.png", "z_0_.png", "nobody.png", "_0_1.png")
    listing = find_images(tmp_path)
    assert listing.layout == "flat"
    assert listing.identities == {
        "m_01": ["m_01_0_crop.png", "m_01_1_crop.png"],
        "z": ["z_0_.png"],
    }
    assert [file for file, _ in listing.broken] == ["_0_1.png", "nobody.png"]
    assert "<IDENTITY>_<OBSERVATION>_" in listing.broken[0][1]


def test_nothing_is_passed_over_in_silence(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png", "b/a.txt", "b/b.TXT", "c.csv", "LICENSE")
    touch(tmp_path, "b/more/2.png", "b/notes/x.txt", "empty/x.txt")
    listing = find_images(tmp_path)
    assert listing.ignored == {".csv": 1, ".txt": 3, "(no extension)": 1}
    assert listing.nested == [os.path.join("b", "more")]
    assert listing.identities["empty"] == []


def test_images_in_both_places_are_an_error(tmp_path):
    touch(tmp_path, "x_1_2.png", "a/1.png")
    with pytest.raises(ValueError, match="'x_1_2.png'.*beside 1 sub-folders.*not both"):
        find_images(tmp_path)


def test_folders_without_images(tmp_path):
    with pytest.raises(ValueError, match="There is no folder '.*nowhere'"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no images.*Found: nothing"):
        find_images(tmp_path)
    touch(tmp_path, "notes.txt")
    with pytest.raises(ValueError, match="is a file, not a folder"):
        find_images(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="Found: 1 .txt"):
        find_images(tmp_path)


def test_one_level_too_high_suggests_the_right_folder(tmp_path):
    touch(tmp_path, "train/a/1.png", "train/b/1.png")
    with pytest.raises(ValueError, match="did you mean '.*train'"):
        find_images(tmp_path)


def test_one_identity_is_too_few(tmp_path):
    touch(tmp_path / "folders", "a/1.png", "a/2.png")
    with pytest.raises(ValueError, match="one identity only, the sub-folder 'a'"):
        find_images(tmp_path / "folders")
    touch(tmp_path / "flat", "a_1_2.png", "a_2_2.png")
    with pytest.raises(ValueError, match="one identity only, the name 'a'"):
        find_images(tmp_path / "flat")
    touch(tmp_path / "photos", "IMG1.png", "IMG2.png")
    with pytest.raises(ValueError, match="no name tells an identity, such as 'IMG1.png'"):
        find_images(tmp_path / "photos")
