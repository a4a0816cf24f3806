"""What all commands share: help in groups, errors as one message, exit statuses."""

from __future__ import annotations

import re
import signal
import sys
import time
from types import ModuleType

import pytest
from absl import flags

from sdgan_tf import registry
from sdgan_tf.cli import command, model_flags, train
from tests import commands


@pytest.fixture(scope="module")
def values():
    """Return all flags of bin/train."""
    defined = flags.FlagValues()
    train.define(defined)
    return defined


def test_help_shows_every_flag_in_its_group(values, capsys):
    assert commands.call(train, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(train.__doc__.strip())
    places = []
    for group in train.GROUPS:
        title = group.__doc__.strip().splitlines()[0]
        names = [flag.name for flag in values.flags_by_module_dict()[group.__name__]]
        assert len(names) > 5
        places.append((text.index(f"\n{title}\n"), names))
    ends = [place for place, _ in places[1:]] + [len(text)]
    assert ends == sorted(ends)
    for (begin, names), end in zip(places, ends):
        section = text[begin:end]
        for name in names:
            # A long choice of models begins on the next line.
            assert f"\n  --{name}:" in section or f"\n  --[no]{name}:" in section, name
    assert "\n  --import_module: " in text
    assert "sdgan_tf.cli." not in text


def test_every_flag_of_train_has_a_help_of_full_sentences(values):
    for name in values:
        # Of a flag with choices, absl writes them in front.
        text = re.sub(r"^<.*?>: ", "", values[name].help)
        assert re.match("[A-Z0-9]", text), f"--{name}: {text}"
        assert text.endswith("."), f"--{name}: {text}"
        assert len(text.split(" Default: ")[0].split()) > 2, f"--{name}: {text}"


def test_defaults_that_the_help_shows_are_those_of_the_constructors(values):
    told = {}
    for flag in values.flags_by_module_dict()["sdgan_tf.cli.model_flags"]:
        if " Default: " not in flag.help:
            continue
        for part in flag.help.rpartition(" Default: ")[2].rstrip(".").split("; "):
            default, of, owners = part.partition(" of ")
            for owner in owners.split(", ") if of else ():
                told[flag.name, owner] = default
    assert told["d_i", "sdgan"] == "50" and told["identifier", "conditional"] == "table"
    for (name, owner), default in told.items():
        *kind, called = owner.split()
        cls = registry.get(*kind, called) if kind else registry.get("model", called)
        owners = (cls, *(() if kind else cls.OPTIONS))
        known = {k: a for part in owners for k, a in registry.arguments(part).items()}
        value = known[name].default
        assert default == ("none" if value in ("", None) else str(value)), (name, owner)
    # No default of its own: what is not given is left to the constructor.
    for model in registry.names("model"):
        for name in registry.arguments(registry.get("model", model)):
            if name not in model_flags.ELSEWHERE:
                assert values[name].default is None, f"--{name} of {model}"


def probe(error=None, status=None):
    """Return a command that raises an error or returns a status, with flags `k` and `data_dir`."""
    module = ModuleType("probe", "A probe.")

    def define(values):
        flags.DEFINE_integer("k", 2, "A number.", flag_values=values)
        flags.DEFINE_string("data_dir", "", "A folder.", flag_values=values)

    def main(words, values):
        if error is not None:
            raise error
        return status

    module.define, module.main = define, main
    return module


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Received: 0"),
        OSError("No space"),
        ImportError("not installed"),
        MemoryError("Unable to allocate 9 TiB"),
        flags.Error("flags.cfg holds no number"),
    ],
)
def test_what_a_user_can_mend_is_one_message(error, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    assert commands.call(probe(error)) == 1
    assert capsys.readouterr().err == f"bin/probe: {error}\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Received: k=1", "Received: --k=1"),
        ("k=1, steps=3 and data_dir='a b'", "--k=1, steps=3 and --data_dir='a b'"),
        ("Raise k=.", "Raise --k=."),
        ("(k=1) model.k=1, rank=2, my_k=3, --k=4, x-k=5", "(--k=1) model.k=1, rank=2, my_k=3, --k=4, x-k=5"),
        ("k = 1 and k= 1", "k = 1 and k= 1"),
    ],
)  # fmt: skip
def test_arguments_that_are_flags_are_named_as_flags(message, shown, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    assert commands.call(probe(ValueError(message))) == 1
    assert capsys.readouterr().err == f"bin/probe: {shown}\n"


@pytest.mark.parametrize("argument", ["--data_dir=nowhere://bucket/faces", "nowhere://bucket"])
def test_places_that_nothing_here_handles_are_refused_before_any_work(
    argument, capsys, monkeypatch
):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    assert commands.call(probe(AssertionError("work was done")), argument) == 1
    # Without the extra `store`, nothing can tell what would handle it.
    said = capsys.readouterr().err
    assert "Nothing here handles nowhere://" in said or "need the extra `store`" in said


def test_a_traceback_is_there_when_asked_for(monkeypatch):
    monkeypatch.setenv("SDGAN_TRACEBACK", "1")
    with pytest.raises(ValueError, match="mine"):
        commands.call(probe(ValueError("mine")))


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        commands.call(probe(ZeroDivisionError()))


def test_ctrl_c_before_training_is_no_traceback(capsys):
    assert commands.call(probe(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def amid_native_code(number):
    """Send a signal whose exception a library turns into its own error, as native code of TensorFlow does."""
    try:
        signal.raise_signal(number)
    except BaseException as error:
        raise RuntimeError(repr(error)) from None


def amid_a_finalizer(number):
    """Send a signal whose exception nobody gets; then go on for a while."""

    class Dying:
        def __del__(self):
            signal.raise_signal(number)

    Dying()
    for _ in range(100):
        time.sleep(0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("amid", [amid_native_code, amid_a_finalizer])
def test_a_signal_ends_a_command_wherever_it_arrives(amid, number, status, capsys, monkeypatch):
    module = probe()
    module.main = lambda words, values: amid(number)
    monkeypatch.setattr(command, "_signals", [])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setitem(sys.modules, "probe", module)
    monkeypatch.setattr(sys, "argv", ["probe"])
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    # The tests may run in the background, where it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as info:
            command.run("probe")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert info.value.code == status
    # A SIGTERM that nothing turned into an error ends the process by itself.
    silent = (amid, number) == (amid_a_finalizer, signal.SIGTERM)
    assert capsys.readouterr().err == ("" if silent else "Interrupted.\n")


@pytest.mark.parametrize(("returned", "status"), [(7, 7), (None, 0), (0, 0)])
def test_what_main_returns_is_the_exit_status(returned, status, monkeypatch):
    assert commands.call(probe(status=returned)) == status
    monkeypatch.setitem(sys.modules, "probe", probe(status=returned))
    monkeypatch.setattr(sys, "argv", ["probe"])
    monkeypatch.setattr(command.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with pytest.raises(SystemExit) as info:
        command.run("probe")
    assert info.value.code == status


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--stepz=5", "Unknown command line flag 'stepz'"),
        ("--k=two", "flag --k=two: "),
        ("--import_module=no.such_module", "No module named 'no'"),
        ("--flagfile=missing.cfg", "missing.cfg"),
        ("--flagfile=bytes.cfg", "A flag file is no text in UTF-8: 'utf-8' codec can't decode"),
    ],
)
def test_a_wrong_command_line_has_a_status_of_its_own(
    argument, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes.cfg").write_bytes(b"--k=\xec")
    assert commands.call(probe(), argument) == 2
    error = capsys.readouterr().err
    assert error.startswith("bin/probe: ") and message in error
    assert error.endswith("Try bin/probe --help.\n")


def test_modules_are_imported_before_the_flags_are_read(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine_first.py").write_text("print('imported')")
    (tmp_path / "mine.cfg").write_text("--import_module=mine_first\n--k=3\n")
    monkeypatch.chdir(tmp_path)
    assert commands.call(probe(), "--flagfile=mine.cfg", "--help") == 0
    assert capsys.readouterr().out.startswith("imported\nA probe.")


@pytest.mark.parametrize("name", ["train", "export"])
def test_launchers_show_their_help_from_any_folder(name):
    done = commands.launch(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"bin/{name}" in done.stdout
    assert "\n  --run_dir: " in done.stdout
    assert "__main__" not in done.stdout


def test_an_interrupt_while_flags_are_defined_is_no_traceback(monkeypatch, capsys):
    def define(values):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "define", define)
    assert command.call(train, ["train"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
