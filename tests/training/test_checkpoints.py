"""Checkpoints: whole or not at all, the newest and the best, and nothing but plain arrays."""

from __future__ import annotations

import contextlib
import errno
import json
import resource
import zipfile

import numpy as np
import pytest

from sdgan_tf.training import CheckpointError, Checkpoints
from tests import tiny


def save(checkpoints, model, step, score=None):
    """Save as if `step` steps were done."""
    model.step.assign(step)
    return checkpoints.save(model, score)


def names(checkpoints):
    """Return the names of all files, hidden ones included."""
    return sorted(path.name for path in checkpoints.folder.iterdir())


@pytest.fixture
def checkpoints(tmp_path):
    """Return an empty folder of checkpoints."""
    return Checkpoints(tmp_path / "checkpoints", keep=2, best_metric="d_loss")


def test_a_checkpoint_gives_the_whole_state_back(checkpoints, model):
    state = {
        name: np.full_like(value, index % 7 + 1)
        for index, (name, value) in enumerate(tiny.values(model).items())
    }
    tiny.restore(model, state)
    path = checkpoints.save(model)
    tiny.restore(model, {name: np.zeros_like(value) for name, value in state.items()})
    checkpoints.load(model, int(path.stem.split("-")[1]))
    for name, value in tiny.values(model).items():
        np.testing.assert_array_equal(value, state[name], err_msg=name)


def test_the_state_holds_every_variable_of_the_model(model):
    held = {id(variable) for variable in model.state().values()}
    assert set(model.networks) == {"generator", "discriminator", "averaged_generator"}
    for network in model.networks.values():
        assert all(id(variable) in held for variable in network.variables)
    assert len(held) == len(model.state())


def test_to_be_used_alone_the_networks_are_loaded_and_moments_and_means_stay(checkpoints, model):
    first = tiny.values(model)
    changed = {name: np.ones_like(value) for name, value in first.items()}
    tiny.restore(model, changed)
    checkpoints.save(model)
    tiny.restore(model, first)
    checkpoints.load(model, 1, to_continue=False)
    for name, value in tiny.values(model).items():
        stays = "_optimizer/" in name or name.startswith("log/")
        expected = first if stays else changed
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_equal_states_give_equal_bytes_and_others_do_not(tmp_path, model):
    paths = [Checkpoints(tmp_path / name).save(model) for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    next(iter(model.generator.variables)).assign_add(
        np.full(model.generator.variables[0].shape, 1e-6, np.float32)
    )
    other = Checkpoints(tmp_path / "c").save(model)
    assert other.read_bytes() != paths[0].read_bytes()


def test_a_checkpoint_is_a_zip_file_of_plain_arrays(checkpoints, model):
    with zipfile.ZipFile(checkpoints.save(model)) as file:
        assert file.testzip() is None
        for name in file.namelist():
            assert b"'descr': '<" in file.read(name)[:64], f"{name} is no plain array of numbers"


def test_pickled_objects_are_never_loaded(checkpoints, model, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("exploded").touch, ())

    path = checkpoints.save(model)
    arrays = dict.fromkeys(model.state(), np.array([Bomb()], object))
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match="Object arrays cannot be loaded"):
        checkpoints.load(model, 0)
    assert not (tmp_path / "exploded").exists()


def test_rotation_keeps_the_newest_and_the_best(checkpoints, model):
    for step, score in ((1, 5.0), (2, 3.0), (3, 4.0), (4, 4.0), (5, float("nan"))):
        save(checkpoints, model, step, score)
    assert checkpoints.steps() == [2, 4, 5]
    assert checkpoints.best() == 2
    assert json.loads((checkpoints.folder / "best.json").read_text()) == {
        "step": 2,
        "metric": "d_loss",
        "mode": "min",
        "score": 3.0,
    }
    save(checkpoints, model, 6, 1.0)
    save(checkpoints, model, 7)
    assert (checkpoints.steps(), checkpoints.best()) == ([6, 7], 6)


def test_the_best_may_be_the_greatest(tmp_path, model):
    checkpoints = Checkpoints(tmp_path, keep=1, best_metric="auc", best_mode="max")
    for step, score in enumerate((0.2, 0.9, 0.9, 0.5)):
        save(checkpoints, model, step, score)
    # Of two equals the older one stays.
    assert (checkpoints.steps(), checkpoints.best()) == ([1, 3], 1)


def test_there_is_no_best_where_no_score_was_given(checkpoints, model):
    save(checkpoints, model, 1)
    assert checkpoints.best() is None
    assert names(checkpoints) == ["step-00000001.npz"]


def test_killed_at_any_write_a_run_ends_with_the_same_best(
    checkpoints, model, tmp_path, monkeypatch
):
    whole = Checkpoints(tmp_path / "whole", keep=2, best_metric="d_loss")
    scores = ((1, 3.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 0.5))
    for step, score in scores:
        save(whole, model, step, score)

    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    # A run that was killed loads what is there and goes on after that.
    for step, score in scores:
        for name in ("atomic_file", "write_json", "remove_file"):
            done = checkpoints.load_newest(model) or 0
            with monkeypatch.context() as patch:
                patch.setattr(f"sdgan_tf.training.checkpoints.{name}", dies)
                if done < step:
                    with contextlib.suppress(KeyboardInterrupt):
                        save(checkpoints, model, step, score)
            # At no moment is a checkpoint that is not there called the best one.
            assert checkpoints.best() in (None, *checkpoints.steps())
    checkpoints.rotate(checkpoints.load_newest(model))
    assert checkpoints.best() == 5
    assert tiny.digests(checkpoints.folder, "*") == tiny.digests(whole.folder, "*")


def test_the_best_by_another_number_is_chosen_anew(checkpoints, model, caplog):
    save(checkpoints, model, 1, 0.1)
    other = Checkpoints(checkpoints.folder, keep=1, best_metric="auc", best_mode="max")
    other.load_newest(model)
    assert other.best() == 1 and not caplog.text
    for step, score in ((2, 0.7), (3, 0.6)):
        save(other, model, step, score)
    assert (other.steps(), other.best()) == ([2, 3], 2)
    assert caplog.text.count("now is by {'metric': 'auc', 'mode': 'max'}") == 1


def test_what_the_first_version_noted_as_the_best_still_counts(checkpoints, model):
    for step in (1, 2):
        save(checkpoints, model, step)
    (checkpoints.folder / "best.json").write_text('{"step": 1, "score": 2.0}')
    assert checkpoints.best() == 1
    save(checkpoints, model, 3, 3.0)
    assert (checkpoints.steps(), checkpoints.best()) == ([1, 2, 3], 1)
    save(checkpoints, model, 4, 1.0)
    assert (checkpoints.steps(), checkpoints.best()) == ([3, 4], 4)


@pytest.mark.parametrize("content", ['{"step": 1, "sc', "", "[1]"])
def test_a_damaged_note_of_the_best_is_told_with_what_to_do(checkpoints, model, content):
    save(checkpoints, model, 1, 0.5)
    (checkpoints.folder / "best.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"best.json is damaged: .* Delete it: the run notes"):
        checkpoints.best()
    (checkpoints.folder / "best.json").unlink()
    checkpoints.load_newest(model)
    assert checkpoints.best() == 1


def test_after_going_back_the_best_is_one_of_those_that_are_left(checkpoints, model):
    checkpoints.keep = 3
    for step, score in ((1, 2.0), (2, 3.0), (3, 1.0)):
        save(checkpoints, model, step, score)
    checkpoints.forget_after(2)
    assert (checkpoints.steps(), checkpoints.best()) == ([1, 2], 1)


def test_behind_damaged_ones_the_checkpoint_just_saved_stays(checkpoints, model):
    for step in (1, 5, 6):
        save(Checkpoints(checkpoints.folder, keep=3), model, step)
    for step in (5, 6):
        checkpoints.path(step).write_bytes(b"")
    assert checkpoints.load_newest(model) == 1
    for step in (2, 3, 4):
        save(checkpoints, model, step)
        assert checkpoints.path(step).exists()
        assert checkpoints.load_newest(model) == step
    assert checkpoints.steps() == [3, 4, 5, 6]
    # Once training has come by them again nothing of them is left.
    for step in (5, 7):
        save(checkpoints, model, step)
    assert checkpoints.steps() == [6, 7]


def test_foreign_names_in_the_folder_do_no_harm(checkpoints, model):
    save(checkpoints, model, 3)
    for name in ("step-3 (copy).npz", "step-00000002-old.npz", "notes.txt"):
        (checkpoints.folder / name).touch()
    assert checkpoints.steps() == [3]


def changed(content, marker, offset):
    """Return `content` with the byte at `offset` from a marker changed."""
    at = content.index(marker) + offset
    return content[:at] + bytes([content[at] ^ 0x80]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-100],
        lambda content: content[: len(content) // 2],
        lambda content: b"\x93NUMPY" + content[6:],
        lambda content: changed(content, b"PK\x01\x02", 6),
        lambda content: changed(content, b"generator/00", 200),
    ],
    ids=["empty", "no end", "half", "other magic", "zip version", "one bit"],
)
def test_a_damaged_newest_falls_back_with_a_warning(checkpoints, model, damage, caplog):
    save(checkpoints, model, 1)
    path = save(checkpoints, model, 2)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    assert checkpoints.load_newest(model) == 1
    assert int(model.step) == 1
    assert str(path) in caplog.text
    assert "Trying the one before" in caplog.text


def test_a_bomb_is_refused_before_it_is_unpacked(checkpoints, model, monkeypatch):
    path = save(checkpoints, model, 1)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez_compressed(path, **arrays, extra=np.zeros(2**28, np.uint8))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(CheckpointError, match="bytes unpacked, more than the"):
        checkpoints.load(model, 1)


def test_if_none_can_be_read_nothing_starts_anew(checkpoints, model):
    save(checkpoints, model, 1).write_bytes(b"")
    with pytest.raises(CheckpointError, match="None of the checkpoints"):
        checkpoints.load_newest(model)


def test_an_empty_folder_has_no_newest(checkpoints, model):
    assert checkpoints.load_newest(model) is None
    assert checkpoints.remaining() == "There is no checkpoint yet."


@pytest.mark.parametrize("options", [{"dim": 2}, {"ema": 0.0}], ids=["shapes", "variables"])
def test_the_checkpoint_of_another_model_is_refused(checkpoints, model, options):
    other = tiny.model(**{**tiny.MODERN, **options})
    before = tiny.values(model)
    save(checkpoints, other, 1)
    with pytest.raises(CheckpointError, match="belongs to another model: .* such as "):
        checkpoints.load(model, 1)
    for name, value in tiny.values(model).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_saved(checkpoints, model, value):
    good = save(checkpoints, model, 1)
    bias = model.generator.layers[0].bias
    bias.assign(np.full(bias.shape, value, np.float32))
    with pytest.raises(
        CheckpointError, match="Step 2 .*generator/00_Dense/bias and 0 more"
    ) as info:
        save(checkpoints, model, 2)
    assert str(good) in str(info.value)
    assert names(checkpoints) == ["step-00000001.npz"]


def test_a_full_disk_in_the_middle_leaves_the_older_ones(checkpoints, model, monkeypatch):
    good = save(checkpoints, model, 1)

    def write(file, arrays):
        file.write(b"PK a fragment")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sdgan_tf.training.checkpoints.write_arrays", write)
        with pytest.raises(
            CheckpointError, match="No space left on device.*Free some space"
        ) as info:
            save(checkpoints, model, 2)
    assert str(good) in str(info.value)
    assert names(checkpoints) == ["step-00000001.npz"]
    assert checkpoints.load_newest(model) == 1


def test_a_file_that_may_not_grow_leaves_the_older_ones(checkpoints, model):
    size = save(checkpoints, model, 1).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="File too large"):
            save(checkpoints, model, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(checkpoints) == ["step-00000001.npz"]
    assert checkpoints.load_newest(model) == 1
    assert save(checkpoints, model, 2).stat().st_size == size


@pytest.mark.parametrize("options", [{"keep": 0}, {"best_mode": "least"}])
def test_options_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match="Received"):
        Checkpoints(tmp_path, **options)
