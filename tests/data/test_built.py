"""Built data: the same tuples as from the folder, and checked when opened."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import numpy as np
import pytest

from sdgan_tf import data

COUNTS = {f"p{i}": 3 + i % 3 for i in range(8)}


@pytest.fixture
def folder(make_folder):
    return make_folder(COUNTS)


@pytest.fixture
def built(folder, tmp_path):
    data.build(folder, tmp_path / "built", image_size=8)
    return tmp_path / "built"


def edit_index(built, edit):
    index = json.loads((built / "index.json").read_text())
    edit(index)
    (built / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(("fit", "channels"), [("crop", 3), ("pad", 1)])
def test_built_data_and_their_folder_give_the_same_bytes(folder, tmp_path, fit, channels):
    options = {"image_size": 6, "channels": channels, "fit": fit}
    report = data.build(folder, tmp_path / "built", **options)
    assert report.clean and report.counts == COUNTS
    memory, disk = data.from_directory(folder, **options), data.from_built(tmp_path / "built")
    base = disk._images
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap), "the file is mapped, not read"
    _, _, mapping = Path("/proc/self/smaps").read_text().partition(f"{tmp_path}/built/images.u8")
    flags = mapping[mapping.index("VmFlags:") :].splitlines()[0].split()
    assert "rr" in flags, "and the system does not read ahead"
    assert np.shares_memory(disk.images, np.asarray(memoryview(disk._tensor)))
    assert memory.summary().endswith("in memory") and disk.summary().endswith("on disk")
    for one, other in [(memory, disk), *zip(memory.split(0.3, 0.2), disk.split(0.3, 0.2))]:
        assert one.names == other.names and one.counts.tolist() == other.counts.tolist()
        assert one.fingerprint == other.fingerprint
        np.testing.assert_array_equal(one.grid(3, 3), other.grid(3, 3))
        arguments = {"k": 3, "batch_size": 5, "seed": 4, "start_step": 7}
        tuples, others = one.tuples(**arguments), other.tuples(**arguments)
        assert tuples.element_spec == others.element_spec
        for batch, same in zip(tuples.take(3), others):
            for name in ("images", "identity"):
                np.testing.assert_array_equal(batch[name], same[name])
    with pytest.raises(ValueError, match="read-only"):
        disk.images[0] = 0


def test_opening_what_was_not_built(folder, tmp_path):
    for path in (folder, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="it has no index.json.*bin/data build"):
            data.from_built(path)


def test_a_missing_or_cut_file_is_noticed_when_opened(built):
    contents = (built / "images.u8").read_bytes()
    assert len(contents) == sum(COUNTS.values()) * 8 * 8 * 3
    (built / "images.u8").write_bytes(contents[:-7])
    expected = f"has {len(contents) - 7:,} bytes; {len(contents):,} bytes were expected"
    for use in (data.from_built, data.check):
        with pytest.raises(ValueError, match=expected):
            use(built)
    (built / "images.u8").unlink()
    with pytest.raises(ValueError, match="images.u8' is missing"):
        data.from_built(built)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda index: index.clear(), "KeyError: 'format'"),
        (lambda index: index.update(format="cats"), "it is 'cats'"),
        (lambda index: index.update(version=99), "version 99"),
        (lambda index: index.update(image_size=-1), "image_size"),
        (lambda index: index.update(image_size="8"), "TypeError"),
        (lambda index: index.update(image_size=8.0), "positive number, not 8.0"),
        (lambda index: index.update(names=index["names"][:1]), "two or more"),
        (lambda index: index.update(names=["\ud800", *index["names"][1:]]), "UnicodeEncodeError"),
        (lambda index: index.update(names=[7, *index["names"][1:]]), "TypeError"),
        (lambda index: index["counts"].__setitem__(0, -5), "not -5"),
        (lambda index: index["counts"].__setitem__(0, True), "not True"),
        (lambda index: index["counts"].__setitem__(0, 2**70), "positive number"),
        (lambda index: index["sha256"].__setitem__(0, "zz"), "hexadecimal"),
        (lambda index: index["sha256"].__setitem__(0, "ab"), "64 hexadecimal digits"),
        (lambda index: index.update(linked=[[3]]), "TypeError"),
    ],
)
def test_a_damaged_index_is_refused(built, edit, message):
    edit_index(built, edit)
    with pytest.raises(ValueError, match=f"(?s)no good index of built data.*{message}"):
        data.from_built(built)


def test_names_that_are_there_twice_are_refused(built):
    edit_index(built, lambda index: index.update(names=["P1", *index["names"][1:]]))
    with pytest.raises(ValueError, match="names.*must differ"):
        data.from_built(built)


def test_counts_that_claim_more_than_the_file_has_are_refused(built):
    edit_index(built, lambda index: index["counts"].__setitem__(0, 2**30))
    with pytest.raises(ValueError, match="bytes were expected"):
        data.from_built(built)


def test_an_index_that_is_cut_short_is_refused(built):
    index = (built / "index.json").read_text()
    (built / "index.json").write_text(index[: len(index) // 2])
    with pytest.raises(ValueError, match="no good index of built data"):
        data.from_built(built)


def test_check_reads_everything(built):
    report = data.check(built, k=3)
    assert report.clean and report.counts == COUNTS
    assert report.sizes == {"8x8": sum(COUNTS.values())}
    assert data.check(built, k=4).short == [("p0", 3), ("p3", 3), ("p6", 3)]


def test_check_finds_a_flipped_bit(built):
    contents = bytearray((built / "images.u8").read_bytes())
    contents[5 * 8 * 8 * 3] ^= 1
    (built / "images.u8").write_bytes(contents)
    report = data.check(built)
    assert report.broken == [("p1", "its images in images.u8 have changed")]
    assert not report.clean
