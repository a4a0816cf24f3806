"""Images in memory, and what every data set can do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.data.arrays import aligned_empty


def make(counts, prefix="p", on_bad_data="fail", size=2):
    """Return data in which each image's first two values are its identity and its number."""
    names = [f"{prefix}{i}" for i in range(len(counts))]
    images = np.zeros((sum(counts), size, size, 3), np.uint8)
    images[:, 0, 0, 0] = np.repeat(np.arange(len(counts)), counts)
    images[:, 0, 0, 1] = np.concatenate([np.arange(n) for n in [0, *counts]])
    return IdentityData(names, counts, images, on_bad_data)


def take(dataset, count):
    return [batch["images"].numpy() for batch in dataset.take(count)]


def test_tuples_match_in_identity_and_differ_in_image():
    data = make([3, 4, 5])
    dataset = data.tuples(k=3, batch_size=20, seed=1)
    assert dataset.element_spec == {
        "images": tf.TensorSpec([20, 3, 2, 2, 3], tf.uint8),
        "identity": tf.TensorSpec([20], tf.int64),
    }
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    (batch,) = take(dataset, 1)
    identity, image = batch[:, :, 0, 0, 0], batch[:, :, 0, 0, 1]
    assert (identity == identity[:, :1]).all() and set(identity[:, 0]) == {0, 1, 2}
    assert all(len(set(row)) == 3 for row in image.tolist())


def test_tuples_are_pure_in_seed_and_step():
    data = make([4] * 9)
    whole = take(data.tuples(seed=3), 9)
    np.testing.assert_array_equal(whole, take(data.tuples(seed=3), 9))
    np.testing.assert_array_equal(whole[5:], take(data.tuples(seed=3, start_step=5), 4))
    np.testing.assert_array_equal(whole[5:], take(data.tuples(seed=3).skip(5), 4))
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(whole, take(data.tuples(seed=4), 9))
    take(data.tuples(seed=3, start_step=2**40), 1)


def test_batches_say_who_is_in_their_tuples():
    # An identity with too few images is left out, and the others keep their positions.
    data = make([4, 1, 4, 5, 4], on_bad_data="skip")
    (batch,) = data.tuples(k=2, batch_size=99, seed=3, start_step=7).take(1)
    np.testing.assert_array_equal(batch["identity"], batch["images"][:, 0, 0, 0, 0])
    assert set(batch["identity"].numpy()) == {0, 2, 3, 4}


def test_fields_follow_their_images_into_batches_and_splits():
    base = make([4] * 20)
    points = np.stack([base.images[:, 0, 0, :2]] * 5, axis=1).astype(np.float32)
    fields = {"points": points, "label": np.arange(80)}
    data = IdentityData(base.names, base.counts, base.images, fields=fields)
    for part in (data, data.split(0.3, 0.3).train):
        np.testing.assert_array_equal(part.fields["points"][:, 2], part.images[:, 0, 0, :2])
        tuples = part.tuples(k=3, batch_size=7, seed=2)
        assert tuples.element_spec["points"] == tf.TensorSpec([7, 3, 5, 2], tf.float32)
        for batch in tuples.take(2):
            np.testing.assert_array_equal(batch["points"][:, :, 4], batch["images"][:, :, 0, 0, :2])
            np.testing.assert_array_equal(batch["label"] // 4, batch["images"][:, :, 0, 0, 0])
    assert data.fingerprint != base.fingerprint
    for name, values, message in (
        ("label", np.arange(79), r"the 80 images. Received: 'label' of shape \[79\]"),
        ("identity", np.arange(80), "already. Received: fields={'identity'"),
    ):
        with pytest.raises(ValueError, match=message):
            IdentityData(base.names, base.counts, base.images, fields={name: values})


def test_replicas_share_a_batch_among_them():
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices][:1])
    data = make([4] * 9)
    shared = next(iter(strategy.experimental_distribute_dataset(data.tuples(seed=3))))
    np.testing.assert_array_equal(shared["images"], take(data.tuples(seed=3), 1)[0])


@pytest.mark.parametrize("wrong", [{"k": 0}, {"batch_size": 0}, {"start_step": -1}])
def test_tuples_arguments_out_of_range(wrong):
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}={value}"):
        make([4, 4]).tuples(**wrong)


def test_short_identities_fail_or_are_skipped_aloud(caplog):
    with pytest.raises(ValueError, match=r"2 of 4 .*k=3.*: p1 \(2\), p3 \(1\)\..*=skip"):
        make([3, 2, 4, 1]).tuples(k=3)
    with caplog.at_level("WARNING", logger="absl"):
        (batch,) = take(make([3, 2, 4, 1], on_bad_data="skip").tuples(k=3, batch_size=50), 1)
    assert set(batch[:, 0, 0, 0, 0]) == {0, 2}
    assert "p1 (2), p3 (1)" in caplog.text
    for on_bad_data in ("fail", "skip"):
        with pytest.raises(ValueError, match="At least 2 identities|identities have fewer"):
            make([3, 2], on_bad_data=on_bad_data).tuples(k=3)
    with pytest.raises(ValueError, match="Received: on_bad_data='ignore'"):
        make([3, 2], on_bad_data="ignore")


def test_observations():
    data = make([3, 5])
    assert data.observations(1)[:, 0, 0].tolist() == [[1, i, 0] for i in range(5)]
    assert data.observations(1, [4, 0, 4])[:, 0, 0, 1].tolist() == [4, 0, 4]
    assert data.observations(1, [])[:, 0, 0, 1].tolist() == []
    for identity, indices in ((2, None), (-1, None), (0, [3]), (0, [-1])):
        with pytest.raises(IndexError):
            data.observations(identity, indices)


def test_grid_rows_are_identities_and_nothing_repeats():
    grid = make([9] * 20).grid(identities=6, observations=5, seed=2)
    assert grid.shape == (6, 5, 2, 2, 3)
    identity, image = grid[:, :, 0, 0, 0], grid[:, :, 0, 0, 1]
    assert (identity == identity[:, :1]).all()
    assert len(set(identity[:, 0])) == 6
    assert all(len(set(row)) == 5 for row in image.tolist())
    np.testing.assert_array_equal(grid, make([9] * 20).grid(6, 5, seed=2))
    assert not np.array_equal(grid, make([9] * 20).grid(6, 5, seed=3))


def test_grid_of_few_images_is_smaller_but_has_no_gaps():
    assert make([9, 1, 9, 1, 9]).grid(3, 8).shape[:2] == (3, 8)
    assert set(make([9, 1, 9, 1, 9]).grid(3, 8)[:, 0, 0, 0, 0]) == {0, 2, 4}
    assert make([3, 2, 2]).grid(8, 8).shape[:2] == (3, 2)
    for identities, observations in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one row"):
            make([3, 3]).grid(identities, observations)


def test_splits_share_no_identity_and_no_memory_is_copied():
    data = make([2] * 200)
    splits = data.split(validation=0.2, test=0.3)
    names = [set(part.names) for part in splits]
    assert set.union(*names) == set(data.names) and sum(map(len, names)) == 200
    assert 25 < len(splits.validation) < 55 and 40 < len(splits.test) < 80
    for part in splits:
        assert np.shares_memory(part._images, data._images)
        for i, name in enumerate(part.names):
            expected = data.observations(data.names.index(name))
            np.testing.assert_array_equal(part.observations(i), expected)
        np.testing.assert_array_equal(
            part.images, np.concatenate([part.observations(i) for i in range(len(part))])
        )
    (batch,) = take(splits.test.tuples(batch_size=300), 1)
    assert {f"p{i}" for i in batch[:, 0, 0, 0, 0]} <= names[2]


def test_splits_do_not_change_when_data_are_added():
    before, after = make([2] * 100).split(), make([5] * 150).split()
    for old, new in zip(before, after):
        assert [name for name in new.names if int(name[1:]) < 100] == old.names
    # Where a name goes is part of every published split.
    assert make([1] * 30).split().test.names == GOLDEN_TEST_NAMES


GOLDEN_TEST_NAMES = ["p0", "p7", "p17"]


def test_linked_identities_stay_together():
    names = [f"p{i}" for i in range(30)]
    groups = [["p0", "p1", "p2", "p3"], ["p7", "p8", "p9"]]
    data = IdentityData(names, [2] * 30, np.zeros((60, 2, 2, 3), np.uint8), linked=groups)
    splits = data.split()
    assert splits.test.names == ["p0", "p1", "p2", "p3", "p7", "p8", "p9", "p17"]
    for group in groups:
        for part in splits.train.split(0.5, 0.5):
            assert len(set(group) & set(part.names)) in (0, len(group))


def test_empty_splits_say_so():
    splits = make([2] * 5).split(validation=0, test=0)
    assert [len(part) for part in splits] == [5, 0, 0]
    assert splits.test.summary() == "0 identities, no images"
    assert splits.test.images.shape == (0, 2, 2, 3)
    assert splits.test.fingerprint != splits.train.fingerprint
    with pytest.raises(ValueError, match="At least 2 identities.*Received: 0 such identities of 0"):
        splits.test.tuples()
    with pytest.raises(ValueError, match="no images"):
        splits.test.grid()
    assert [len(part) for part in make([2] * 5).split(0, 1)] == [0, 0, 5]
    assert len(make([])) == 0
    for shares in ((-0.1, 0.1), (0.6, 0.6)):
        with pytest.raises(ValueError, match="Received: validation="):
            make([2] * 5).split(*shares)


def test_fingerprints_tell_data_apart():
    base = make([2, 3])
    assert base.fingerprint == make([2, 3]).fingerprint
    assert len(base.fingerprint) == 64
    changed = base.images.copy()
    changed[4, 1, 1, 2] += 1
    others = [
        make([3, 2]),
        make([2, 3], prefix="q"),
        IdentityData(base.names, base.counts, changed),
        IdentityData(base.names, base.counts, base.images[..., :1]),
        base.split(0, 0.5).train,
    ]
    prints = {data.fingerprint for data in [base, *others]}
    assert len(prints) == 6


def test_factors_follow_their_images_through_splits():
    counts = np.array([2, 3] * 20)
    factors = {
        "identity": np.arange(40, dtype=np.float32)[:, None],
        "observation": np.repeat(np.arange(40), counts).astype(np.float32)[:, None],
        "identity_names": ("i",),
        "observation_names": ("o",),
    }
    base = make(counts)
    data = IdentityData(base.names, counts, base.images, factors=factors)
    for part in itertools.chain(data.split(0.3, 0.3), data.split(0.3, 0.3).train.split(0.3, 0.3)):
        assert part.factors["identity"][:, 0].tolist() == [int(name[1:]) for name in part.names]
        np.testing.assert_array_equal(part.factors["observation"][:, 0], part.images[:, 0, 0, 0])
    with pytest.raises(ValueError, match="Received: 40 and 99 rows"):
        short = {**factors, "observation": factors["observation"][:-1]}
        IdentityData(base.names, counts, base.images, factors=short)


def test_any_array_will_do_and_nothing_can_be_written():
    plain = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    read_only = plain.copy()
    read_only.flags.writeable = False
    for images in (plain, plain[::-1], np.asfortranarray(plain), plain[1:], read_only):
        data = IdentityData(["a", "b"], [2, len(images) - 2], images)
        np.testing.assert_array_equal(data.images, images)
        (batch,) = take(data.tuples(k=2, batch_size=40), 1)
        assert {image.tobytes() for image in batch.reshape(-1, 4, 4, 3)} == {
            image.tobytes() for image in images
        }
        with pytest.raises(ValueError, match="read-only"):
            data.images[0] = 0
    aligned = aligned_empty((5, 4, 4, 3))
    aligned[:] = plain
    data = IdentityData(["a", "b"], [2, 3], aligned)
    assert np.shares_memory(aligned, data.images)
    assert np.shares_memory(aligned, np.asarray(memoryview(data._tensor)))


def test_summary():
    assert make([2, 1000]).summary() == (
        "2 identities, 1,002 images (2 - 1000 each), 2x2x3, 0 MB in memory"
    )


@pytest.mark.parametrize(
    ("names", "counts", "shape", "dtype", "message"),
    [
        (["a", "b"], [1, 1], (2, 4, 4, 3), np.float32, "uint8"),
        (["a", "b"], [1, 1], (2, 4, 5, 3), np.uint8, "square|size, size"),
        (["a", "b"], [1, 1], (2, 4, 4, 2), np.uint8, "1 or 3"),
        (["a", "b"], [1, 2], (2, 4, 4, 3), np.uint8, "add up to 3, 2 images"),
        (["a"], [1, 1], (2, 4, 4, 3), np.uint8, "1 names, 2 counts"),
        (["a", "a"], [1, 1], (2, 4, 4, 3), np.uint8, "differ"),
    ],
)
def test_arrays_must_fit_each_other(names, counts, shape, dtype, message):
    with pytest.raises(ValueError, match=message):
        IdentityData(names, counts, np.zeros(shape, dtype))
