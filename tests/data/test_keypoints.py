"""Keypoints and masks: read and checked, moved as their image is, kept by the built store, in batches."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sdgan_tf import data
from sdgan_tf.data import decoding, keypoints
from sdgan_tf.data.decoding import BadImage

pytestmark = pytest.mark.once

POINTS = [[3 + 0.5 * i, 6 + i, 1] for i in range(18)]
WIDTH, HEIGHT = 30, 20


def write(file, points):
    file.write_text(json.dumps({"keypoints": points}))


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two people, three wide images each, in which the nose is the one red pixel."""
    for person in "ab":
        for number in range(3):
            image = np.full((HEIGHT, WIDTH, 3), 10 * number + ord(person) - 90, np.uint8)
            image[4 + number, 12, 0] = 255
            path = tmp_path / "people" / person / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
            write(path.with_suffix(".json"), [[4 + number, 12, 1], *POINTS[1:]])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, 5:15] = 255
    Image.fromarray(mask).save(tmp_path / "people" / "a" / "0.mask.png")
    return tmp_path / "people"


@pytest.mark.parametrize(("fit", "size"), [("crop", 20), ("pad", 30), ("pad", 60), ("crop", 40)])
def test_keypoints_and_masks_follow_their_image(folder, fit, size):
    people = data.from_directory(folder, size, fit=fit, keypoints=True)
    points, masks = people.fields["keypoints"], people.fields["mask"]
    assert points.dtype == np.float32 and points.shape == (6, 18, 3)
    assert masks.dtype == np.uint8 and masks.shape == (6, size, size, 1)
    for image, (row, column, visible) in zip(people.images, points[:, 0]):
        light = np.maximum(image[..., 0].astype(int) - image[..., 1], 0)
        # The middle of the red pixel, or of the pixels it has become.
        rows, columns = np.indices(light.shape)
        assert visible == 1
        assert row == pytest.approx((light * rows).sum() / light.sum(), abs=0.05)
        assert column == pytest.approx((light * columns).sum() / light.sum(), abs=0.05)
    scale, left, top = {"crop": (size / 20, 5, 0), "pad": (size / 30, 0, -5)}[fit]
    expected = np.zeros((size, size))
    expected[round(-min(top, 0) * scale) : round((20 - min(top, 0)) * scale),
             round((5 - left) * scale) : round((15 - left) * scale)] = 1  # fmt: skip
    np.testing.assert_array_equal(masks[0, ..., 0], expected)


def test_what_a_crop_cuts_off_is_not_visible(folder):
    write(folder / "a" / "1.json", [[5, 12, 1], [5, 3, 1], [0, 0, 0], *POINTS[3:]])
    points = data.from_directory(folder, 20, keypoints=True).fields["keypoints"][1]
    np.testing.assert_array_equal(points[:3], [[5, 7, 1], [0, 0, 0], [0, 0, 0]])
    write(folder / "a" / "1.json", [[5, 2, 1], *[[0, 0, 0]] * 17])
    with pytest.raises(data.BadData, match="cuts off all visible"):
        data.from_directory(folder, 20, keypoints=True)


def test_a_mask_made_of_keypoints_holds_limbs_and_nothing_far_away():
    points = np.zeros((18, 3), np.float32)
    points[8], points[9] = (20, 30, 1), (50, 30, 1)
    mask = keypoints.mask_of(points, 64)
    assert mask.shape == (64, 64, 1) and mask.dtype == np.uint8
    np.testing.assert_array_equal(mask[35, :, 0], (abs(np.arange(64) - 30) <= 3.5).astype(np.uint8))
    assert not mask[:16].any() and not mask[54:].any()
    points[9] = 0
    assert keypoints.mask_of(points, 64).sum() < mask.sum() / 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "JSONDecodeError"),
        ('{"points": []}', "KeyError"),
        ("[1]", "TypeError"),
        ("[" * 100000, "RecursionError"),
        (json.dumps({"keypoints": POINTS[:17]}), r"17, 3"),
        (json.dumps({"keypoints": [[1, 2, True], *POINTS[1:]]}).replace("true", '"x"'), "no keypoints"),
        (json.dumps({"keypoints": [[1, 2, 2], *POINTS[1:]]}), "neither 0 nor 1"),
        (json.dumps({"keypoints": [[1, float("nan"), 1], *POINTS[1:]]}), "not finite"),
        (json.dumps({"keypoints": [[1, 2, 0]] * 18}), "none of its keypoints is visible"),
        (json.dumps({"keypoints": [[20, 2, 1], *POINTS[1:]]}), "30x20 pixels: the nose is visible at row 20"),
    ],
)  # fmt: skip
def test_bad_keypoints_are_refused_or_left_out(folder, content, reason):
    (folder / "b" / "1.json").write_text(content)
    with pytest.raises(data.BadData, match=reason) as error:
        data.from_directory(folder, 16, keypoints=True)
    assert [path for path, _ in error.value.report.broken] == ["b/1.png"]
    people = data.from_directory(folder, 16, keypoints=True, on_bad_data="skip")
    assert people.counts.tolist() == [3, 2] and len(people.fields["mask"]) == 5
    assert data.from_directory(folder, 16).counts.tolist() == [3, 3]


def test_missing_keypoints_and_masks_of_other_images_are_told(folder):
    (folder / "b" / "2.json").unlink()
    Image.new("L", (20, 20)).save(folder / "b" / "0.mask.png")
    (folder / "a" / "2.mask.png").write_bytes(b"no image")
    report = data.check(folder, 16, keypoints=True)
    assert [path for path, _ in report.broken] == ["a/2.png", "b/0.png", "b/2.png"]
    reasons = [reason for _, reason in report.broken]
    assert "not an image" in reasons[0]
    assert "(20, 20)" in reasons[1] and "(30, 20)" in reasons[1]
    assert "there is no file b/2.json" in reasons[2]
    assert report.ignored == {}
    assert data.check(folder, 16).ignored == {".json": 5, ".mask.png": 3}


def test_built_data_keep_keypoints_and_masks(folder, tmp_path):
    data.build(folder, tmp_path / "built", 16, keypoints=True)
    memory = data.from_directory(folder, 16, keypoints=True)
    disk = data.load(tmp_path / "built", 16, keypoints=True)
    assert memory.fingerprint == disk.fingerprint
    assert memory.fingerprint != data.from_directory(folder, 16).fingerprint
    for one, other in ((memory, disk), (memory.split(0, 0.5).test, disk.split(0, 0.5).test)):
        assert set(one.fields) == {"keypoints", "mask"}
        for name, values in one.fields.items():
            np.testing.assert_array_equal(values, other.fields[name])
    batch, same = (next(iter(d.tuples(k=2, batch_size=3))) for d in (memory, disk))
    assert batch["keypoints"].shape == (3, 2, 18, 3) and batch["mask"].shape == (3, 2, 16, 16, 1)
    for name in batch:
        np.testing.assert_array_equal(batch[name], same[name])
    assert data.check(tmp_path / "built").clean
    file = tmp_path / "built" / "keypoints.f32"
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    assert data.check(tmp_path / "built").broken
    file.unlink()
    with pytest.raises(ValueError, match=r"keypoints.f32.*is missing"):
        data.from_built(tmp_path / "built")


def test_keypoints_are_asked_of_what_has_none(folder, tmp_path):
    data.build(folder, tmp_path / "built", 16)
    for call in (data.load, data.check):
        with pytest.raises(ValueError, match="built without keypoints"):
            call(tmp_path / "built", 16, keypoints=True)
    data.to_tfrecord(data.from_directory(folder, 16), tmp_path / "records")
    with pytest.raises(ValueError, match="TFRecords, in which there are no keypoints"):
        data.from_tfrecord(tmp_path / "records", image_size=16, keypoints=True)


def test_a_mask_is_decoded_like_its_image(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 4:8] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    contents = (tmp_path / "m.png").read_bytes()
    small = decoding.decode_mask(contents, "m", (8, 8), 4, "crop")
    np.testing.assert_array_equal(small[..., 0], [[0] * 4, [0, 0, 1, 1], [0] * 4, [0] * 4])
    with pytest.raises(BadImage, match=r"the image \(9, 8\)"):
        decoding.decode_mask(contents, "m", (9, 8), 4, "crop")
