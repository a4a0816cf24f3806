"""What all commands share: help in groups, errors as one message, exit statuses."""

from __future__ import annotations

import sys
from types import ModuleType

import commands
import pytest
from absl import flags

from sdgan_tf.cli import command, train


def test_help_shows_every_flag_in_its_group(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train", "--help"])
    command.run(train.main, train.__doc__, train.GROUPS)
    text = capsys.readouterr().out
    assert text.startswith(train.__doc__.strip())
    places = []
    for group in train.GROUPS:
        title = group.__doc__.strip().splitlines()[0]
        names = [flag.name for flag in flags.FLAGS.flags_by_module_dict()[group.__name__]]
        assert len(names) > 5
        places.append((text.index(f"\n{title}\n"), names))
    ends = [place for place, _ in places[1:]] + [len(text)]
    assert ends == sorted(ends)
    for (begin, names), end in zip(places, ends):
        section = text[begin:end]
        for name in names:
            assert f"\n  --{name}: " in section or f"\n  --[no]{name}: " in section, name
    assert "sdgan_tf.cli." not in text


def test_all_flags_of_train_belong_to_a_group():
    shown = {group.__name__ for group in train.GROUPS}
    own = {name for name in flags.FLAGS.flags_by_module_dict() if name.startswith("sdgan_tf.cli")}
    assert own == shown


def guarded(error):
    """Run a command that raises."""

    def main(arguments):
        raise error

    return command._guarded(main, ["train"])


@pytest.mark.parametrize(
    "error", [ValueError("Received: k=0"), OSError("No space"), ImportError("not installed")]
)
def test_what_a_user_can_mend_is_one_message(error, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    assert guarded(error) == 1
    assert capsys.readouterr().err == f"bin/train: {error}\n"


def test_a_traceback_is_there_when_asked_for(monkeypatch):
    monkeypatch.setenv("SDGAN_TRACEBACK", "1")
    with pytest.raises(ValueError, match="mine"):
        guarded(ValueError("mine"))


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        guarded(ZeroDivisionError())


def test_ctrl_c_before_training_is_no_traceback(capsys):
    assert guarded(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_what_main_returns_is_the_exit_status(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["probe"])
    with pytest.raises(SystemExit) as info:
        command.run(lambda arguments: 7, "A probe.", [ModuleType("probe", "Probe.")])
    assert info.value.code == 7


@pytest.mark.parametrize("name", ["train", "export"])
def test_launchers_show_their_help_from_any_folder(name):
    done = commands.launch(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"bin/{name}" in done.stdout
    assert "\n  --run_dir: " in done.stdout
    assert "__main__" not in done.stdout
