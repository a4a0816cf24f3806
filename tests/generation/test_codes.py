"""Code files: what comes back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.generation import codes, load_codes, save_codes

IDENTITY = np.array([[0.5, -1.0]], np.float32)
OBSERVATION = np.zeros([3, 0], np.float32)


def test_codes_come_back(tmp_path):
    path = save_codes(tmp_path / "made" / "codes.npz", IDENTITY, OBSERVATION)
    loaded = load_codes(str(path))
    assert list(loaded) == ["identity", "observation"]
    for array, expected in zip(loaded.values(), (IDENTITY, OBSERVATION)):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, expected)
    assert [item.name for item in path.parent.iterdir()] == ["codes.npz"]


def test_one_part_will_do(tmp_path):
    np.savez(tmp_path / "codes.npz", identity=IDENTITY.astype(np.float64))
    assert load_codes(tmp_path / "codes.npz")["identity"].dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"identity": IDENTITY[0]}, r"Received: identity, float32 \(2,\), in "),
        ({"identity": IDENTITY.astype(int)}, "Received: identity, int64"),
        ({"identity": IDENTITY, "who": IDENTITY}, "Received: who"),
        ({"identity": np.array([[object()]])}, "cannot be read: Object arrays"),
        ({}, "holds no codes"),
    ],
    ids=["vector", "integers", "stranger", "pickle", "nothing"],
)
def test_other_arrays_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "codes.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_codes(tmp_path / "codes.npz")


def test_damaged_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "codes.npz"
    with pytest.raises(ValueError, match="cannot be read: .*No such file"):
        load_codes(path)
    save_codes(path, IDENTITY, OBSERVATION)
    for contents in (b"", b"no archive", path.read_bytes()[:-40]):
        path.write_bytes(contents)
        with pytest.raises(ValueError, match="The codes in .* cannot be read"):
            load_codes(path)


def test_a_giant_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "codes.npz", identity=np.zeros([1000, 50], np.float32))
    monkeypatch.setattr(codes, "MAX_BYTES", 10**5)
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(ValueError, match=r"200,128 bytes unpacked, more than the 100,000"):
        load_codes(tmp_path / "codes.npz")
