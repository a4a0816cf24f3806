"""How every command starts: its flags, its help in groups, and errors as one message."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from absl import app, flags, logging

# What a user can mend: shown as a message, without a traceback.
USER_ERRORS = (ValueError, OSError, RuntimeError, ImportError)


def run(
    main: Callable[[Sequence[str]], int | None], doc: str, groups: Sequence[ModuleType]
) -> None:
    """Runs `main(arguments)` with the program's flags parsed.

    Args:
        main: the command; what it returns is the exit status.
        doc: what `--help` says before the flags.
        groups: modules that defined the command's flags, in the order of `--help`.
    """
    if asks_for_help(sys.argv):
        print(help_text(doc, groups))
        return
    logging.set_verbosity(logging.WARNING)
    app.run(lambda argv: _guarded(main, argv))


def asks_for_help(argv: Sequence[str]) -> bool:
    """Whether a command line, with the name of the command in front, asks for help."""
    return any(argument in ("--help", "-h", "-help") for argument in argv[1:])


def help_text(
    doc: str, groups: Sequence[ModuleType], values: flags.FlagValues = flags.FLAGS
) -> str:
    """What `--help` says: `doc`, then the flags that each of the modules defined in `values`."""
    parts = [doc.strip()]
    for module in groups:
        title = "Flags" if module.__doc__ == doc else module.__doc__.strip().splitlines()[0]
        # Without the first line, the name of the module.
        lines = values.module_help(module.__name__).strip("\n").split("\n", 1)[1]
        parts.append(f"{title}\n{lines}")
    return "\n\n".join(
        [*parts, "--flagfile=FILE reads flags from a file, one a line; later ones win."]
    )


def no_words(arguments: Sequence[str]) -> None:
    """Raises a `ValueError` for what stands on the command line and is no flag."""
    if arguments:
        raise ValueError(f"Flags have the form --name=value. Received: {' '.join(arguments)}")


def _guarded(main: Callable[[Sequence[str]], int | None], argv: Sequence[str]) -> Any:
    try:
        return main(argv[1:])
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except USER_ERRORS as error:
        if os.environ.get("SDGAN_TRACEBACK"):
            raise
        print(f"bin/{Path(argv[0]).stem}: {error}", file=sys.stderr)
        return 1


def progress(done: int, total: int, what: str = "pictures") -> None:
    """One line on the screen that rewrites itself, until all is done; without a terminal, that
    last one only.
    """
    last = done == total
    if last or sys.stderr.isatty():
        start, end = ("\r", "\n" if last else "") if sys.stderr.isatty() else ("", "\n")
        print(f"{start}{done:,} of {total:,} {what}", end=end, file=sys.stderr, flush=True)
