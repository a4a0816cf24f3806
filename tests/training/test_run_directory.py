"""The run directory: one run, one configuration, one process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sdgan_tf.files import atomic_folder
from sdgan_tf.training import RunDirectory, RunError
from sdgan_tf.training.run_directory import differences

CONFIG = {"model": {"name": "sdgan", "config": {"dim": 2, "law": "normal"}}, "size": [1, 2]}


def opened(path, config=CONFIG):
    """Open a run directory."""
    run = RunDirectory(path)
    run.open(config)
    return run


def contents(folder):
    """Return the bytes of all files by their path, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_run_describes_itself(tmp_path):
    run = opened(tmp_path / "deep" / "run")
    assert run.config() == CONFIG
    versions = json.loads((run.path / "versions.json").read_text())
    assert {"sdgan_tf", "python", "tensorflow", "keras", "numpy", "command"} <= set(versions)
    run.close()


def test_an_empty_folder_will_do(tmp_path):
    opened(tmp_path).close()
    assert RunDirectory(tmp_path).config() == CONFIG


def test_the_same_configuration_continues(tmp_path):
    opened(tmp_path).close()
    before = (tmp_path / "config.json").read_bytes()
    # A tuple is a list in JSON.
    opened(tmp_path, {**CONFIG, "size": (1, 2)}).close()
    assert (tmp_path / "config.json").read_bytes() == before


def test_another_configuration_is_refused_with_the_differences(tmp_path):
    opened(tmp_path).close()
    before = contents(tmp_path)
    changed = {"model": {"name": "sdgan", "config": {"dim": 4, "law": "normal", "k": 3}}}
    with pytest.raises(RunError) as info:
        opened(tmp_path, changed)
    message = str(info.value)
    assert "model.config.dim: 2 in the directory, 4 asked" in message
    assert "model.config.k: '(none)' in the directory, 3 asked" in message
    assert "size: [1, 2] in the directory, '(none)' asked" in message
    assert "law" not in message
    assert "run_dir=" in message
    assert contents(tmp_path) == before


def test_options_that_came_later_are_no_difference_at_their_defaults(tmp_path):
    old = {"model": {"name": "sdgan", "config": {"dim": 2}, "parts": {"Regularizers": {"r1": 0.0}}}}
    opened(tmp_path, old).close()
    parts = {"Regularizers": {"r1": 0.0, "new": 0.0}, "NewPart": {"weight": 0.0}}
    asked = {"name": "sdgan", "config": {"dim": 2, "d_i": 50, "k": 2}, "parts": parts}
    opened(tmp_path, {"model": asked, "replicas": 1}).close()
    for changed in (
        {"model": {**asked, "config": {**asked["config"], "k": 3}}, "replicas": 1},
        {"model": {**asked, "config": {**asked["config"], "weight": 1.0}}, "replicas": 1},
        {"model": {**asked, "parts": {"Regularizers": {"r1": 1.0}}}, "replicas": 1},
        {"model": asked, "replicas": 2},
    ):
        with pytest.raises(RunError, match="another configuration"):
            opened(tmp_path, changed)


def test_after_a_refusal_the_directory_is_free(tmp_path):
    opened(tmp_path).close()
    refused = RunDirectory(tmp_path)
    with pytest.raises(RunError):
        refused.open({"other": 1})
    opened(tmp_path).close()


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / ".hidden").write_text("")
    with pytest.raises(RunError, match=r"holds files but no run \(.hidden, thesis.tex\)"):
        opened(tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"years of work", ".hidden": b""}


def test_a_file_is_no_run_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        opened(tmp_path / "file")


def test_a_folder_without_a_run_has_no_config(tmp_path):
    with pytest.raises(RunError, match="not a run directory"):
        RunDirectory(tmp_path).config()


def test_killed_while_it_wrote_its_first_file_a_run_starts_again(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.json.123.part").write_text('{"mod')
    run = opened(tmp_path)
    assert run.config() == CONFIG
    assert not list(tmp_path.glob(".*.part"))
    run.close()


def test_what_a_kill_left_half_written_is_swept_away(tmp_path):
    opened(tmp_path).close()
    fragment = tmp_path / "checkpoints" / ".step-00000010.npz.123.part"
    fragment.parent.mkdir()
    fragment.touch()
    kept = tmp_path / "checkpoints" / "step-00000005.npz"
    kept.touch()
    opened(tmp_path).close()
    assert kept.exists()
    assert not fragment.exists()


LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone_however_it_goes(tmp_path):
    opened(tmp_path).close()
    first = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert first.stdout.readline() == b"locked\n"
        with pytest.raises(RunError, match="Another process is training in"):
            opened(tmp_path)
    finally:
        first.kill()
        first.communicate()
    opened(tmp_path).close()


def test_an_open_run_is_locked(tmp_path):
    run = opened(tmp_path)
    with pytest.raises(RunError, match="Another process"):
        opened(tmp_path)
    run.close()
    opened(tmp_path).close()


def test_the_log_forgets_what_will_be_written_again(tmp_path):
    run = RunDirectory(tmp_path)
    for step in (5, 10, 15):
        run.log({"step": step, "d_loss": 0.5})
    with open(run.metrics_file, "a") as file:
        file.write('{"step": 20, "d_lo')
    run.forget_after(10)
    run.log({"step": 15, "d_loss": 0.25})
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 15]
    assert lines[-1]["d_loss"] == 0.25


def test_a_run_without_a_log_has_nothing_to_forget(tmp_path):
    RunDirectory(tmp_path).forget_after(10)
    assert not list(tmp_path.iterdir())


def test_differences_go_into_nested_configurations():
    old = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    new = {"a": {"b": 1.5, "c": [1, 2]}, "d": "x"}
    assert differences(old, new) == [
        "a.b: 1 in the directory, 1.5 asked",
        "d: None in the directory, 'x' asked",
    ]
    assert differences(old, old) == []


def test_a_folder_that_an_evaluation_left_half_written_is_swept_away_unless_it_is_alive(tmp_path):
    opened(tmp_path).close()
    fragment = tmp_path / ".verifier.123.part"
    fragment.mkdir()
    (fragment / "weights.npz").touch()
    with atomic_folder(tmp_path / "evaluation") as living:
        opened(tmp_path).close()
        assert living.exists() and not fragment.exists()


def test_a_damaged_configuration_is_told_with_what_to_do(tmp_path):
    opened(tmp_path).close()
    (tmp_path / "config.json").write_text('{"model": {"na')
    with pytest.raises(RunError, match="config.json is damaged: .* Restore it from a copy"):
        opened(tmp_path)


def test_damaged_lines_of_the_log_are_told_of_and_kept(tmp_path, caplog):
    run = RunDirectory(tmp_path)
    for step in (5, 10, 15):
        run.log({"step": step})
    first, _, last = run.metrics_file.read_bytes().splitlines()
    bad = [b'{"step": 10, "d_\xff', b"[10]", b'{"d_loss": 0.5}']
    cut = b'{"step": 20, "d_lo'
    run.metrics_file.write_bytes(b"\n".join([first, *bad, last, cut]))
    assert [line["step"] for line in run.lines()] == [5, 15]
    run.forget_after(15)
    assert "3 damaged lines" in caplog.text and "metrics.damaged" in caplog.text
    assert (tmp_path / "metrics.damaged").read_bytes().splitlines() == bad
    assert run.metrics_file.read_bytes() == first + b"\n" + last + b"\n"
    caplog.clear()
    run.forget_after(15)
    assert not caplog.text


OLD = {
    "model": {"class": "SDGAN", "config": {"codes": "normal", "d_init": "he_normal", "k": 2}},
    "optimizers": {"d_optimizer": {"class_name": "Adam"}, "g_optimizer": None},
    "replicas": 1,
}


def test_what_the_first_version_wrote_is_the_same_run_in_the_words_of_today(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(OLD))
    today = {
        "model": {"name": "sdgan", "config": {"law": "normal", "initializer": "he_normal", "k": 2}},
        "optimizers": {"d": {"class_name": "Adam"}, "g": None},
        "replicas": 1,
    }
    assert RunDirectory(tmp_path).config() == today
    opened(tmp_path, today).close()


@pytest.mark.parametrize("name", ["ACDCGAN", "DRGAN", "TablePairGAN", "EncoderPairGAN"])
def test_a_run_of_a_baseline_that_is_gone_says_what_to_do(tmp_path, name):
    old = {**OLD, "model": {"class": name, "config": {}}}
    (tmp_path / "config.json").write_text(json.dumps(old))
    for use in (RunDirectory(tmp_path).config, lambda: opened(tmp_path)):
        with pytest.raises(ValueError, match=rf"Train it anew by model='c.* a run of {name}$"):
            use()
