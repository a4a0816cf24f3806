"""How every command starts: its flags, its help in groups, and errors as one message.

A command is a module with a docstring, `define(values)`, which defines its flags, and `main(words, values)`, which takes what
stands on the command line beside flags, and the parsed flags, and returns an exit status.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from absl import flags, logging

from sdgan_tf.files import check_path
from sdgan_tf.stores import shown

# What a user can mend: shown as a message, without a traceback.
USER_ERRORS = (ValueError, OSError, RuntimeError, ImportError, MemoryError, flags.Error)
# A wrong command line.
USAGE = 2

# The signals that told this process to end. What a handler raises amid a library's native code comes out of it as an error
# of the library's own, which says nothing of the signal.
_signals: list[int] = []


def run(name: str) -> None:
    """Runs the command of a module on this process's command line and ends the process.

    Args:
        name: of the module in full, since absl calls what is run as `__main__` otherwise.
    """
    signal.signal(signal.SIGTERM, _end)
    sys.unraisablehook = _again
    # Where it is ignored, as in the background of a script, it stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    sys.exit(call(importlib.import_module(name), sys.argv))


def _end(number: int, frame: Any) -> None:
    """Ends the process by an exception, so that what is told to stop cleans up behind itself."""
    _signals.append(number)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _again(unraisable: Any) -> None:
    """Sends a signal once more, a moment later, whose exception came up in a finalizer, which lets none out."""
    if _signals and issubclass(unraisable.exc_type, (KeyboardInterrupt, SystemExit)):
        later = threading.Timer(0.05, os.kill, (os.getpid(), _signals[-1]))
        later.daemon = True
        later.start()
    else:
        sys.__unraisablehook__(unraisable)


def call(module: ModuleType, argv: Sequence[str]) -> int:
    """Runs a command and returns its exit status.

    Args:
        module: the command.
        argv: the command line, with the name of the command in front.
    """
    name = f"bin/{Path(argv[0]).stem}"
    values = flags.FlagValues()
    logging.set_verbosity(logging.WARNING)
    try:
        # Before the flags are defined: the user's own models have flags, too.
        import_modules(argv)
        flags.DEFINE_list(
            "import_module",
            [],
            "Python modules to import first, comma-separated, such as those that register models of your own.",
            flag_values=values,
        )
        module.define(values)
        if any(argument in ("--help", "-h", "-help") for argument in argv[1:]):
            print(help_text(module, values))
            return 0
        words = values(list(argv))[1:]
    except KeyboardInterrupt:
        return _interrupted()
    except (flags.Error, ImportError, UnicodeDecodeError) as error:
        where = "A flag file is no text in UTF-8: " if isinstance(error, ValueError) else ""
        print(f"{name}: {where}{error}. Try {name} --help.", file=sys.stderr)
        return USAGE
    try:
        _check_paths(words, values)
        return module.main(words, values) or 0
    except (KeyboardInterrupt, Exception) as error:
        if _signals or isinstance(error, KeyboardInterrupt):
            return _interrupted()
        if not isinstance(error, USER_ERRORS) or os.environ.get("SDGAN_TRACEBACK"):
            raise
        print(f"{name}: {with_flags(shown(error), values)}", file=sys.stderr)
        return 1


def _interrupted() -> int:
    """Says so, and gives the status of the first signal."""
    print("Interrupted.", file=sys.stderr)
    return 128 + (_signals or [signal.SIGINT])[0]


def import_modules(argv: Sequence[str]) -> None:
    """Imports what `--import_module` names on a command line or in its flag files."""
    values = flags.FlagValues()
    flags.DEFINE_list("import_module", [], "", flag_values=values)
    values(values.read_flags_from_files(list(argv), force_gnu=False), known_only=True)
    if values.import_module and "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` has it: modules of the working directory
    for module in values.import_module:
        importlib.import_module(module)


def _check_paths(words: Sequence[str], values: flags.FlagValues) -> None:
    """Refuses what names a place that nothing here can reach, before any work is done."""
    given = [value for value in values.flag_values_dict().values() if value]
    for value in (*words, *given):
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                check_path(text)


def help_text(module: ModuleType, values: flags.FlagValues) -> str:
    """What `--help` says: the command's docstring, then the flags by the module that defined them, its own first."""
    parts = [module.__doc__.strip()]
    names = [name for name in values.flags_by_module_dict() if name != module.__name__]
    for name in (module.__name__, *names):
        # Without the first line, the name of the module.
        _, _, lines = values.module_help(name).strip("\n").partition("\n")
        own = name in (module.__name__, __name__)
        title = "Flags" if own else sys.modules[name].__doc__.strip().splitlines()[0]
        parts += [f"{title}\n{lines}"] if lines else []
    return "\n\n".join(
        [*parts, "--flagfile=FILE reads flags from a file, one a line; later ones win."]
    )


def with_flags(message: str, values: flags.FlagValues) -> str:
    """An error of the library, which names arguments, in the words of the command line: `k=1` becomes `--k=1`."""

    def replaced(match: re.Match) -> str:
        return f"--{match.group()}" if match.group(1) in values else match.group()

    return re.sub(r"(?<![\w.-])([a-z]\w*)=(?=\S)", replaced, message)


def no_words(words: Sequence[str]) -> None:
    """Raises a `ValueError` for what stands on the command line and is no flag."""
    if words:
        raise ValueError(f"Flags have the form --name=value. Received: {' '.join(words)}")
