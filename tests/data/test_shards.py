"""Shards: the same tuples as from the folder, whole or not at all, and checked when opened."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import data
from sdgan_tf.data import shards as shards_module
from sdgan_tf.data.shards import build_shards

COUNTS = {f"p{i}": 3 + i % 3 for i in range(8)}


@pytest.fixture
def folder(make_folder):
    return make_folder(COUNTS)


@pytest.fixture
def shards(folder, tmp_path):
    # So small that identities are spread over several files.
    build_shards(folder, tmp_path / "shards", image_size=8, shard_bytes=2000)
    return tmp_path / "shards"


def edit_index(shards, edit):
    index = json.loads((shards / "index.json").read_text())
    edit(index)
    (shards / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(("fit", "channels"), [("crop", 3), ("pad", 1)])
def test_shards_and_folder_give_the_same_bytes(folder, tmp_path, fit, channels):
    options = {"image_size": 6, "channels": channels, "fit": fit}
    build_shards(folder, tmp_path / "shards", **options, shard_bytes=2000)
    memory = data.from_directory(folder, **options)
    records = data.from_tfrecord(tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("*.tfrecord"))) > 1
    assert records.names == memory.names and records.counts.tolist() == memory.counts.tolist()
    assert records.fingerprint == memory.fingerprint and records.fit == fit
    for one, other in [(memory, records), *zip(memory.split(0.3, 0.2), records.split(0.3, 0.2))]:
        assert one.names == other.names and one.fingerprint == other.fingerprint
        np.testing.assert_array_equal(one.grid(3, 3), other.grid(3, 3))
        arguments = {"k": 3, "batch_size": 5, "seed": 4, "start_step": 7}
        tuples, others = one.tuples(**arguments), other.tuples(**arguments)
        assert tuples.element_spec == others.element_spec
        assert tuples.cardinality() == others.cardinality()
        for batch, same in zip(tuples.take(3), others):
            for name in ("images", "identity"):
                np.testing.assert_array_equal(batch[name], same[name])


def test_shards_are_ordinary_records(shards):
    files = [str(path) for path in sorted(shards.glob("*.tfrecord"))]
    examples = [
        tf.train.Example.FromString(record).features.feature
        for record in tf.data.TFRecordDataset(files).as_numpy_iterator()
    ]
    names = [example["identity"].bytes_list.value[0].decode() for example in examples]
    assert names == list(COUNTS)
    images = [len(example["images"].bytes_list.value) for example in examples]
    assert images == list(COUNTS.values())
    assert examples[0]["sources"].bytes_list.value[1] == b"01.png"
    assert tf.io.decode_png(examples[0]["images"].bytes_list.value[0]).shape == (8, 8, 3)
    assert "bytes" in json.loads((shards / "index.json").read_text())["shards"][0]


def test_progress_and_report(folder, tmp_path):
    seen = []
    report = build_shards(
        folder, tmp_path / "out", image_size=8, progress=lambda *done: seen.append(done)
    )
    total = sum(COUNTS.values())
    assert seen == [(i + 1, total) for i in range(total)]
    assert report.clean and report.images == total
    assert os.stat(tmp_path / "out").st_mode == os.stat(folder).st_mode


def test_nothing_is_overwritten(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        build_shards(folder, tmp_path / "out")
    with pytest.raises(ValueError, match="Received: shard_bytes=0"):
        build_shards(folder, tmp_path / "new", shard_bytes=0)


def test_bad_data_build_nothing_or_are_left_out(folder, tmp_path):
    (folder / "p1" / "00.png").write_bytes(b"no image")
    with pytest.raises(data.BadData, match="p1/00.png"):
        build_shards(folder, tmp_path / "out", image_size=8)
    assert sorted(os.listdir(tmp_path)) == ["faces"]
    build_shards(folder, tmp_path / "out", image_size=8, on_bad_data="skip")
    assert data.from_tfrecord(tmp_path / "out").counts[1] == COUNTS["p1"] - 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_build_leaves_nothing(folder, tmp_path, error):
    def progress(done, total):
        if done == 9:
            raise error

    with pytest.raises(type(error)) as caught:
        build_shards(folder, tmp_path / "out", image_size=8, progress=progress)
    assert sorted(os.listdir(tmp_path)) == ["faces"]
    if isinstance(error, OSError):
        assert "Cannot write shards" in str(caught.value) and "No space left" in str(caught.value)


def test_a_failing_write_is_reported(folder, tmp_path, monkeypatch):
    class Full(tf.io.TFRecordWriter):
        def write(self, record):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(shards_module.tf.io, "TFRecordWriter", Full)
    with pytest.raises(OSError, match="Cannot write shards to .*No space left on device"):
        build_shards(folder, tmp_path / "out", image_size=8)
    assert sorted(os.listdir(tmp_path)) == ["faces"]


def test_opening_what_are_no_shards(folder, tmp_path):
    for path in (folder, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="it has no index.json.*bin/data build"):
            data.from_tfrecord(path)


def test_missing_and_truncated_shards_are_noticed_when_opened(shards):
    shard = shards / "shard-00001.tfrecord"
    contents = shard.read_bytes()
    shard.write_bytes(contents[:-7])
    expected = f"has {len(contents) - 7:,} bytes; {len(contents):,} bytes were expected"
    with pytest.raises(ValueError, match=expected):
        data.from_tfrecord(shards)
    shard.unlink()
    with pytest.raises(ValueError, match="shard-00001.tfrecord' is missing"):
        data.from_tfrecord(shards)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda index: index.clear(), "KeyError: 'format'"),
        (lambda index: index.update(format="cats"), "its format is 'cats'"),
        (lambda index: index.update(version=99), "its version is 99"),
        (lambda index: index.update(image_size=-1), "image_size"),
        (lambda index: index.update(image_size="8"), "TypeError"),
        (lambda index: index.update(identities=index["identities"][:1]), "two or more"),
        (lambda index: index.update(identities=index["identities"] * 2), "different"),
        (lambda index: index["shards"][0].update(file="../x"), "not in this folder"),
        (lambda index: index["identities"][0].update(shard=77), "in no shard"),
        (lambda index: index["identities"][0].update(offsets=[]), "no images"),
        (lambda index: index["identities"][0].update(offsets=[1]), "no images"),
        (lambda index: index["identities"][0]["offsets"].__setitem__(0, -5), "outside"),
        (lambda index: index["identities"][0]["lengths"].__setitem__(2, 10**9), "outside"),
        (lambda index: index["identities"][0]["lengths"].__setitem__(0, 2**70), "OverflowError"),
        (lambda index: index["identities"][0].update(sha256="zz"), "hex"),
    ],
)
def test_a_damaged_index_is_refused(shards, edit, message):
    edit_index(shards, edit)
    with pytest.raises(ValueError, match=f"(?s)no good index of shards.*{message}"):
        data.from_tfrecord(shards)


def test_an_index_that_is_cut_short_is_refused(shards):
    index = (shards / "index.json").read_text()
    (shards / "index.json").write_text(index[: len(index) // 2])
    with pytest.raises(ValueError, match="no good index of shards"):
        data.from_tfrecord(shards)


def test_check_reads_everything(shards):
    report = data.check_shards(shards, k=3)
    assert report.clean and report.counts == COUNTS
    assert report.sizes == {"8x8": sum(COUNTS.values())}
    assert data.check_shards(shards, k=4).short == [("p0", 3), ("p3", 3), ("p6", 3)]


def test_check_finds_a_flipped_bit(shards):
    shard = shards / "shard-00001.tfrecord"
    contents = bytearray(shard.read_bytes())
    contents[len(contents) // 2] ^= 1
    shard.write_bytes(contents)
    report = data.check_shards(shards)
    assert [name for name, _ in report.broken] == ["shard-00001.tfrecord"]
    assert "corrupted record" in report.broken[0][1]
    assert not report.clean


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda one, two: one.update(sha256=two["sha256"]), "have changed"),
        (lambda one, two: one["offsets"].reverse(), "not where the index says"),
    ],
)
def test_check_finds_an_index_that_lies(shards, edit, message):
    edit_index(shards, lambda index: edit(*index["identities"][:2]))
    report = data.check_shards(shards)
    assert message in report.broken[0][1]
