"""TFRecords: out and in again, from other programs, and from hostile ones."""

from __future__ import annotations

import pytest
import tensorflow as tf

from sdgan_tf import data


@pytest.fixture
def people(make_folder):
    return data.from_directory(make_folder({"ann": 3, "José": 2, "bob_1": 4}), image_size=8)


def write(folder, *records):
    folder.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "x.tfrecord")) as writer:
        for record in records:
            if isinstance(record, dict):
                example = tf.train.Example()
                for name, values in record.items():
                    example.features.feature[name].bytes_list.value.extend(values)
                record = example.SerializeToString()
            writer.write(record)
    return folder


def png(shade, size=8):
    return tf.io.encode_png(tf.fill([size, size, 3], tf.cast(shade, tf.uint8))).numpy()


def test_out_and_in_again(people, tmp_path):
    data.to_tfrecord(people, tmp_path / "records", file_bytes=500)
    files = sorted((tmp_path / "records").iterdir())
    assert [file.name for file in files] == [f"part-0000{i}.tfrecord" for i in range(3)]
    assert data.from_tfrecord(tmp_path / "records", image_size=8).fingerprint == people.fingerprint
    data.build(tmp_path / "records", tmp_path / "built", image_size=8)
    assert data.from_built(tmp_path / "built").fingerprint == people.fingerprint
    for kind in ("records", "built"):
        report = data.check(tmp_path / kind, image_size=8, verbose=True)
        assert report.clean and list(report.counts.values()) == people.counts.tolist()
    with pytest.raises(FileExistsError):
        data.to_tfrecord(people, tmp_path / "records")


def test_other_tfrecords_are_decoded_as_any_image(tmp_path):
    # In several records, of another size, as earlier versions named the feature.
    folder = write(
        tmp_path / "records",
        {"identity": [b"ann"], "images": [png(10), png(20, 16)]},
        {"identity": [b"bob"], "pictures": [png(30)], "sources": [b"x"]},
        {"identity": [b"ann"], "images": [png(40)]},
    )
    people = data.from_tfrecord(folder, image_size=8)
    assert people.names == ["ann", "bob"]
    assert people.images[:, 0, 0, 0].tolist() == [10, 20, 40, 30]


def test_shards_of_earlier_versions_name_the_command_that_converts_them(tmp_path):
    folder = write(
        tmp_path / "shards",
        {"identity": [b"ann"], "pictures": [png(1)]},
        {"identity": [b"bob"], "pictures": [png(2)]},
    )
    (folder / "index.json").write_text('{"format": "sdgan_tf identity shards", "version": 1}')
    for use in (data.load, data.from_built):
        with pytest.raises(ValueError, match="bin/data build .*shards --out=BUILT"):
            use(folder)
    data.build(folder, tmp_path / "built", image_size=8)
    assert data.load(tmp_path / "built", image_size=8).names == ["ann", "bob"]


def test_what_is_wrong_with_records_is_listed(tmp_path, png_that_claims):
    good = [{"identity": [name], "images": [png(len(name))]} for name in (b"ann", b"bo")]
    huge = {"identity": [b"cyd"], "images": [png_that_claims(9000, 9000), b"no image"]}
    folder = write(tmp_path / "records", *good, huge)
    for name, record in (("nameless", {"images": [png(1)]}), ("garbage", b"\xff\xff\xff")):
        write(tmp_path / name, record)
        (tmp_path / name / "x.tfrecord").rename(folder / f"{name}.tfrecord")
    length = (2**60).to_bytes(8, "little")
    (folder / "huge.tfrecord").write_bytes(length + bytes(40))
    flipped = bytearray((folder / "x.tfrecord").read_bytes())
    flipped[30] ^= 1
    (folder / "flipped.tfrecord").write_bytes(flipped)
    report = data.check(folder, image_size=8)
    reasons = dict(report.broken)
    assert sorted(reasons) == [
        "flipped.tfrecord",
        "garbage.tfrecord",
        "huge.tfrecord",
        "nameless.tfrecord",
        "x.tfrecord/cyd/0",
        "x.tfrecord/cyd/1",
    ]
    assert "corrupted record" in reasons["flipped.tfrecord"]
    assert "longer than the file" in reasons["huge.tfrecord"]
    assert "features `identity` and `images`" in reasons["nameless.tfrecord"]
    assert "81,000,000 pixels, more than" in reasons["x.tfrecord/cyd/0"]
    kept = data.from_tfrecord(folder, image_size=8, on_bad_data="skip")
    assert kept.names == ["ann", "bo"]


def test_folders_without_usable_records(make_folder, tmp_path):
    with pytest.raises(ValueError, match="no files \\*.tfrecord"):
        data.from_tfrecord(make_folder({"ann": 2, "bob": 2}))
    folder = write(tmp_path / "one", {"identity": [b"ann"], "images": [png(1)]})
    with pytest.raises(ValueError, match="at least 2 identities.*Received: 1 identities"):
        data.from_tfrecord(folder)
