"""Ways to a data set: folders, drawn people, and paths that turn out to be either."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdgan_tf import data
from sdgan_tf.data import sources


def test_a_folder_becomes_images_in_order(make_folder):
    folder = make_folder({"bob": 2, "ann": 3})
    people = data.from_directory(folder, image_size=8)
    assert people.names == ["ann", "bob"] and people.counts.tolist() == [3, 2]
    assert people.images.shape == (5, 8, 8, 3)
    expected = np.asarray(Image.open(folder / "bob" / "01.png"))
    np.testing.assert_array_equal(people.observations(1)[1], expected)
    assert people.report.clean
    grey = data.from_directory(folder, image_size=4, channels=1)
    assert grey.images.shape == (5, 4, 4, 1)


def test_layouts_do_not_matter(make_folder, tmp_path):
    folder = make_folder({"ann_x": 3, "bob": 2})
    (tmp_path / "flat").mkdir()
    for path in folder.rglob("*.png"):
        path.rename(tmp_path / "flat" / f"{path.parent.name}_{path.stem}_face.png")
    nested = make_folder({"ann_x": 3, "bob": 2})
    flat = data.from_directory(tmp_path / "flat", image_size=8)
    assert flat.fingerprint == data.from_directory(nested, image_size=8).fingerprint


def test_all_bad_data_are_listed_or_left_out(make_folder, caplog):
    folder = make_folder({"ann": 3, "bob": 3, "cyd": 1})
    (folder / "ann" / "01.png").write_bytes(b"no image")
    (folder / "cyd" / "00.png").write_bytes(b"")
    with pytest.raises(data.BadData, match="(?s)2 broken.*ann/01.png.*cyd/00.png.*cyd: 0"):
        data.from_directory(folder, image_size=8)
    with caplog.at_level("WARNING", logger="absl"):
        people = data.from_directory(folder, image_size=8, on_bad_data="skip")
    assert "ann/01.png" in caplog.text
    assert people.names == ["ann", "bob"] and people.counts.tolist() == [2, 3]
    expected = np.asarray(Image.open(folder / "ann" / "02.png"))
    np.testing.assert_array_equal(people.observations(0)[1], expected)
    assert [path for path, _ in people.report.broken] == ["ann/01.png", "cyd/00.png"]
    with pytest.raises(ValueError, match="Received: on_bad_data='maybe'"):
        data.from_directory(folder, on_bad_data="maybe")


def test_k_makes_short_identities_bad_data(make_folder):
    folder = make_folder({"ann": 3, "bob": 3, "cyd": 1})
    assert data.from_directory(folder, image_size=8).counts.tolist() == [3, 3, 1]
    with pytest.raises(data.BadData, match="(?s)fewer than k=2.*cyd: 1"):
        data.from_directory(folder, image_size=8, k=2)


def test_memory_is_counted_before_anything_is_decoded(make_folder, monkeypatch):
    folder = make_folder({"ann": 3, "bob": 3})
    monkeypatch.setattr(sources, "read_bytes", lambda *_: pytest.fail("read a file"))
    with pytest.raises(ValueError, match="6 images of 8x8x3 need .*bin/data build"):
        data.from_directory(folder, image_size=8, max_bytes=6 * 8 * 8 * 3 - 1)


def test_drawn_people_need_no_files():
    people = data.drawn(identities=4, observations=3, image_size=16, seed=5)
    assert people.names == [f"person-{i:05d}" for i in range(4)]
    assert people.images.shape == (12, 16, 16, 3)
    assert people.factors["identity"].shape == (4, len(people.factors["identity_names"]))
    assert people.factors["observation"].shape == (12, len(people.factors["observation_names"]))
    more = data.drawn(identities=6, observations=4, image_size=16, seed=5)
    np.testing.assert_array_equal(more.observations(3, range(3)), people.observations(3))
    assert data.drawn(4, 3, 16, seed=6).fingerprint != people.fingerprint
    grey = data.drawn(4, 3, 16, seed=5, channels=1)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in people.images]
    np.testing.assert_array_equal(grey.images[..., 0], expected)
    with pytest.raises(ValueError, match="Received: identities=0"):
        data.drawn(identities=0)


def test_load_sees_what_a_path_is(make_folder, tmp_path):
    folder = make_folder({"ann": 3, "bob": 3})
    from_folder = data.load(folder, image_size=8)
    data.build(folder, tmp_path / "built", image_size=8)
    from_built = data.load(str(tmp_path / "built"), image_size=8)
    assert from_built.summary().endswith("on disk")
    assert from_built.fingerprint == from_folder.fingerprint
    people = data.load("", image_size=16, drawn_identities=3, drawn_observations=2, seed=5)
    assert people.fingerprint == data.drawn(3, 2, 16, seed=5).fingerprint


@pytest.mark.parametrize("wrong", [{"image_size": 16}, {"channels": 1}, {"fit": "pad"}])
def test_load_refuses_built_data_of_another_kind(make_folder, tmp_path, wrong):
    data.build(make_folder({"ann": 3, "bob": 3}), tmp_path / "built", image_size=8)
    with pytest.raises(ValueError, match="built with image_size=8 channels=3 fit=crop"):
        data.load(tmp_path / "built", **{"image_size": 8, **wrong})


def test_duplicates_are_kept_dropped_or_refused(make_folder, tmp_path):
    folder = make_folder({"ann": 3, "bob": 3, "cyd": 3})
    for target in ("ann/copy.bmp", "bob/copy.webp"):  # saved anew, so other bytes
        Image.open(folder / "ann" / "01.png").save(folder / target, lossless=True)
    keep = data.from_directory(folder, image_size=8)
    assert keep.counts.tolist() == [4, 4, 3] and keep.linked == [["ann", "bob"]]
    drop = data.from_directory(folder, image_size=8, on_duplicates="drop")
    assert drop.counts.tolist() == [3, 3, 3] and drop.linked == []
    assert "in several identities (the first of each kept)" in drop.report.to_text()
    for on_bad_data in ("fail", "skip"):
        with pytest.raises(
            data.BadData, match="(?s)identical images in several.*on_duplicates=drop"
        ):
            data.from_directory(folder, image_size=8, on_bad_data=on_bad_data, on_duplicates="fail")
    assert not data.check(folder, image_size=8, on_duplicates="fail").clean
    for kind, people in (("keep", keep), ("drop", drop)):
        data.build(folder, tmp_path / kind, image_size=8, on_duplicates=kind)
        built = data.from_built(tmp_path / kind)
        assert built.fingerprint == people.fingerprint and built.linked == people.linked
    with pytest.raises(ValueError, match="Received: on_duplicates='maybe'"):
        data.from_directory(folder, on_duplicates="maybe")


def test_accents_and_capitals_do_not_make_another_identity(make_folder):
    composed, decomposed = "Jos\u00e9", "Jose\u0301"
    folder = make_folder({composed: 2, decomposed: 1, "bob": 2, "Bob": 1, "cyd": 2})
    people = data.from_directory(folder, image_size=8)
    assert dict(zip(people.names, people.counts)) == {"Bob": 3, composed: 3, "cyd": 2}
    assert people.report.merged == [["Bob", "bob"], [decomposed, composed]]
    assert "2 groups of names that differ only in capitals" in people.report.to_text()
    assert people.report.clean
    one, other = (
        data.IdentityData([name, "x"], [1, 1], people.images[:2]) for name in (composed, decomposed)
    )
    assert one.fingerprint == other.fingerprint
    assert [len(part) for part in one.split()] == [len(part) for part in other.split()]
    with pytest.raises(ValueError, match="names.*differ"):
        data.IdentityData([composed, decomposed], [1, 1], people.images[:2])


def test_a_symbolic_link_to_itself_is_one_broken_file(make_folder):
    folder = make_folder({"ann": 2, "bob": 2})
    for loop in (folder / "loop", folder / "ann" / "loop"):
        loop.symlink_to(loop)
    report = data.check(folder, image_size=8)
    assert [path for path, _ in report.broken] == ["loop", "ann/loop"]
    assert "symbolic links" in report.broken[0][1]
    people = data.from_directory(folder, image_size=8, on_bad_data="skip")
    assert people.counts.tolist() == [2, 2]
