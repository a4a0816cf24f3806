"""Arrays, data sets of other libraries, and the splits that come with them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sdgan_tf import data
from tests.data.conftest import noise

NAMES = ["bob", "ann", "bob", "ann", "cyd", "cyd"]


def images(size=8):
    return np.stack([noise(name, number, size) for number, name in enumerate(NAMES)])


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Return a folder of the same images."""
    for number, (name, image) in enumerate(zip(NAMES, images())):
        (tmp_path / "faces" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "faces" / name / f"{number}.png")
    return tmp_path / "faces"


def test_equal_images_are_equal_data_wherever_they_come_from(folder):
    expected = data.from_directory(folder, image_size=8)
    made = data.from_arrays(images(), NAMES)
    assert made.names == ["ann", "bob", "cyd"] and made.fingerprint == expected.fingerprint
    assert data.from_arrays(list(images()), np.array(NAMES)).fingerprint == expected.fingerprint
    rows = {"image": images(), "label": NAMES}
    whole = tf.data.Dataset.from_tensor_slices(rows)
    pairs = tf.data.Dataset.from_tensor_slices((images(), NAMES))
    files = tf.data.Dataset.from_tensor_slices(([png(image) for image in images()], NAMES))
    for dataset in (whole, pairs, files, whole.batch(4)):
        assert data.from_dataset(dataset, image_size=8).fingerprint == expected.fingerprint
    (batch,) = made.tuples(2, 4).take(1)
    assert batch["images"].shape == (4, 2, 8, 8, 3)


def test_images_are_fitted_as_files_are(folder):
    fitted = {"image_size": 4, "channels": 1, "fit": "pad"}
    expected = data.from_directory(folder, **fitted)
    assert data.from_arrays(images(), NAMES, **fitted).fingerprint == expected.fingerprint
    grey = images()[..., 0]
    made = data.from_arrays(grey, [7, 12, 7, 12, 12, 7])
    assert made.names == ["12", "7"] and (made.image_size, made.channels) == (8, 1)
    np.testing.assert_array_equal(made.observations(1)[..., 0], grey[[0, 2, 5]])
    mixed = [*images(), noise("dan", 0, 12)[:, :10], noise("dan", 1, 9)]
    assert len(data.from_arrays(mixed, [*NAMES, "dan", "dan"], image_size=8)) == 4
    with pytest.raises(
        ValueError, match=r"image_size=64.*Received: 6 of \[8, 8\], 1 of \[12, 10\]"
    ):
        data.from_arrays(mixed, [*NAMES, "dan", "dan"])


def test_the_doctor_looks_at_them_too(caplog):
    who = [*NAMES, "cyd"]
    pictures = [*images(), images()[0]]
    made = data.from_arrays(pictures, who)
    assert made.report.duplicates_across == [["arrays[0]", "arrays[6]"]]
    assert made.linked == [["bob", "cyd"]]
    dropped = data.from_arrays(pictures, who, on_duplicates="drop")
    assert dropped.counts.tolist() == [2, 2, 2]
    with pytest.raises(data.BadData, match="identical images in several"):
        data.from_arrays(pictures, who, on_duplicates="fail")
    with pytest.raises(data.BadData, match="fewer than k=3"):
        data.from_arrays(images(), NAMES, k=3)
    bad = [*images(), images()[0].astype(np.float32), png(images()[1])[:60]]
    with pytest.raises(
        data.BadData, match=r"(?s)arrays\[6\]: .*not float32.*arrays\[7\]: cannot be"
    ):
        data.from_arrays(bad, [*NAMES, "ann", "ann"], image_size=8)
    assert len(data.from_arrays(bad, [*NAMES, "ann", "ann"], image_size=8, on_bad_data="skip")) == 3
    nameless = data.from_arrays(images(), [*NAMES[:4], None, ""], on_bad_data="skip")
    assert [path for path, _ in nameless.report.broken] == ["arrays[4]", "arrays[5]"]
    assert nameless.names == ["ann", "bob"]
    folded = data.from_arrays(images(), ["Bob", *NAMES[1:]])
    assert folded.report.merged == [["Bob", "bob"]] and len(folded) == 3
    with pytest.raises(ValueError, match="Received: 6 images, 5 identities"):
        data.from_arrays(images(), NAMES[1:])
    with pytest.raises(ValueError, match="more than the .* allowed"):
        data.from_arrays(images(), NAMES, max_bytes=5 * 8 * 8 * 3)


def test_a_split_that_comes_along_is_kept():
    parts = {"ann": "test", "bob": "train", "cyd": "val"}
    made = data.from_arrays(images(), NAMES, [parts[name] for name in NAMES])
    splits = made.split(0.0, 0.0)
    assert [part.names for part in splits] == [["bob"], ["cyd"], ["ann"]]
    np.testing.assert_array_equal(splits.test.images, images()[[1, 3]])
    # A part may be split further, by names.
    assert sum(map(len, splits.train.split())) == 1

    def chosen(name):
        keep = np.array(NAMES) == name
        return tf.data.Dataset.from_tensor_slices((images()[keep], np.array(NAMES)[keep]))

    datasets = {"train": chosen("bob"), "validation": chosen("cyd"), "test": chosen("ann")}
    again = data.from_dataset(datasets, image_size=8)
    assert again.parts == made.parts == {"ann": "test", "bob": "train", "cyd": "validation"}
    with pytest.raises(ValueError, match="Received: bob in several parts"):
        data.from_arrays(images(), NAMES, ["train", "test", "test", "test", "test", "test"])
    with pytest.raises(ValueError, match="Received: split='holdout'"):
        data.from_arrays(images(), NAMES, ["holdout"] * 6)
    with pytest.raises(ValueError, match="Received: 2 images without one"):
        data.from_arrays(images(), NAMES, ["train"] * 4 + [None] * 2)


def test_an_image_in_two_parts_is_bad_data_and_may_be_dropped():
    pictures = np.concatenate([images(), images()[:1]])
    splits = ["train", "test"] * 2 + ["test"] * 3
    for on_bad_data in ("fail", "skip"):
        with pytest.raises(data.BadData, match="(?s)several parts.*bob = cyd.*on_duplicates=drop"):
            data.from_arrays(pictures, [*NAMES, "cyd"], splits, on_bad_data=on_bad_data)
    made = data.from_arrays(pictures, [*NAMES, "cyd"], splits, on_duplicates="drop")
    assert [part.names for part in made.split()] == [["bob"], [], ["ann", "cyd"]]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda rows: rows.map(lambda row: {"photo": row["image"]}), "Received: photo"),
        (lambda rows: rows.map(lambda row: row["image"]), "Elements are dictionaries, or pairs"),
        (lambda rows: rows.repeat(), "leave out repeat"),
        (lambda rows: images(), "arrays are taken by from_arrays. Received: ndarray"),
    ],
)
def test_other_data_sets_are_refused_in_words(dataset, message):
    rows = tf.data.Dataset.from_tensor_slices({"image": images(), "label": NAMES})
    with pytest.raises(ValueError, match=message):
        data.from_dataset(dataset(rows), image_size=8)


def test_other_names_of_fields(folder):
    rows = tf.data.Dataset.from_tensor_slices({"photo": images(), "who": NAMES, "label": [0] * 6})
    made = data.from_dataset(rows, "photo", "who", image_size=8)
    assert made.fingerprint == data.from_directory(folder, image_size=8).fingerprint


def test_data_sets_of_hugging_face(folder):
    datasets = pytest.importorskip("datasets", reason="needs the extra `huggingface`")
    expected = data.from_directory(folder, image_size=8).fingerprint
    files = [
        str(path) for name in ("ann", "bob", "cyd") for path in sorted((folder / name).iterdir())
    ]
    who = [0, 0, 1, 1, 2, 2]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["ann", "bob", "cyd"])}
    )
    table = datasets.Dataset.from_dict({"image": files, "label": who}, features)
    assert data.from_dataset(table, image_size=8).fingerprint == expected
    assert data.from_dataset(table.to_iterable_dataset(), image_size=8).fingerprint == expected
    parts = datasets.DatasetDict(
        {"train": table.select([0, 1, 2, 3]), "test": table.select([4, 5])}
    )
    made = data.from_dataset(parts, image_size=8)
    assert made.fingerprint == expected and made.split().test.names == ["cyd"]
