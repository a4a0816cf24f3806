"""The data doctor: what it finds, and how it says so."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from sdgan_tf.data.checks import check_images, parallel_map
from sdgan_tf.data.names import joined
from sdgan_tf.data.report import BadData, Report, printable, settle
from sdgan_tf.data.sources import find_images

pytestmark = pytest.mark.once


def diagnose(folder, k=2):
    listing = find_images(folder)
    report = Report(source=listing.root, k=k)
    passed = list(check_images(listing, report, image_size=8, channels=3, fit="crop"))
    return report, passed


def test_a_clean_folder(make_folder):
    report, passed = diagnose(make_folder({"ann": 3, "bob": 2, "cyd": 2}))
    assert report.clean
    assert (report.identities, report.images) == (3, 7)
    assert report.counts == {"ann": 3, "bob": 2, "cyd": 2}
    assert report.sizes == {"8x8": 7} and report.modes == {"PNG RGB": 7}
    assert [image.identity for image in passed] == ["ann"] * 3 + ["bob"] * 2 + ["cyd"] * 2
    text = report.to_text()
    assert "3 identities, 7 images" in text and "2 min, 2 median, 3 max" in text
    assert text.endswith("no bad data")


def test_everything_that_is_wrong_is_found(make_folder):
    folder = make_folder({"ann": 3, "bob": 3, "cyd": 1, "dan": 2})
    (folder / "ann" / "01.png").write_bytes(b"no image")
    (folder / "bob" / "02.png").write_bytes((folder / "bob" / "02.png").read_bytes()[:-40])
    (folder / "eve").mkdir()
    (folder / "notes.txt").touch()
    shutil.copy(folder / "ann" / "00.png", folder / "ann" / "copy.png")
    shutil.copy(folder / "dan" / "00.png", folder / "bob" / "dan.png")
    report, passed = diagnose(folder)
    assert not report.clean
    assert len(passed) == report.images == 9
    assert [path for path, _ in report.broken] == ["ann/01.png", "bob/02.png"]
    assert report.short == [("cyd", 1), ("eve", 0)]
    assert report.duplicates_within == [["ann/00.png", "ann/copy.png"]]
    assert report.duplicates_across == [["bob/dan.png", "dan/00.png"]]
    assert report.ignored == {".txt": 1}
    text = report.to_text()
    for words in ("ann/01.png: not an image", "2 broken", "cyd: 1", "eve: 0", "ignored: 1 .txt"):
        assert words in text
    loaded = json.loads(report.to_json())
    assert loaded["broken"][0][0] == "ann/01.png"
    assert loaded["short"] == [["cyd", 1], ["eve", 0]]
    assert loaded["images_per_identity"] == {"min": 0, "median": 2, "max": 3}
    assert not loaded["clean"]


def test_long_lists_are_capped_in_text_and_whole_in_json():
    report = Report("faces", k=3, counts={f"p{i:02d}": 2 for i in range(37)})
    assert "... and 17 more" in report.to_text()
    assert "p19: 2" in report.to_text() and "p20" not in report.to_text()
    assert len(json.loads(report.to_json())["short"]) == 37


def test_bad_data_fail_or_are_skipped_aloud(caplog):
    report = Report("faces", k=2, counts={"ann": 2, "bob": 2, "cyd": 1})
    with pytest.raises(BadData, match="(?s)fewer than k=2.*cyd: 1.*on_bad_data=skip") as caught:
        settle(report, "fail")
    assert caught.value.report is report
    with caplog.at_level("WARNING", logger="absl"):
        settle(report, "skip")
    assert "cyd: 1" in caplog.text
    with pytest.raises(ValueError, match="at least 2 identities"):
        settle(Report("faces", counts={"ann": 2, "bob": 0}), "skip")


def test_names_cannot_play_tricks_on_the_terminal():
    assert printable("é\x1b[2J\n\udcff") == "é\\x1b[2J\\n\\udcff"


def test_groups_that_share_a_name_are_one():
    groups = [{"b", "c"}, {"x", "y"}, {"a", "b"}, {"c", "d"}]
    assert joined(groups) == [["a", "b", "c", "d"], ["x", "y"]]
    assert joined([]) == []


def test_the_pool_keeps_order_looks_little_ahead_and_stops():
    started = []
    lock = threading.Lock()

    def work(number):
        with lock:
            started.append(number)
        return number * number

    results = parallel_map(work, iter(range(10_000)), window=5)
    assert [next(results) for _ in range(20)] == [i * i for i in range(20)]
    assert len(started) <= 26
    results.close()
    assert len(started) <= 26
    assert list(parallel_map(work, [])) == []

    def fail(number):
        raise RuntimeError(number)

    with pytest.raises(RuntimeError, match="0"):
        list(parallel_map(fail, range(9)))
