"""A study of eight pairs whose numbers are worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

STUDY = "0123456789ab"
# Pair: source, same, groups.
PAIRS = {
    "1": ("real", True, [0, 0]),
    "2": ("real", True, [1, 1]),
    "3": ("real", False, [0, 1]),
    "4": ("real", False, [1, 2]),
    "5": ("generated", True, [0, 0]),
    "6": ("generated", True, [1, 1]),
    "7": ("generated", False, [2, 2]),
    "8": ("generated", False, [3, 3]),
}


def write_key(folder: Path) -> Path:
    """Write the key of the study."""
    pairs = [
        dict(pair=pair, source=source, same=same, groups=groups)
        for pair, (source, same, groups) in PAIRS.items()
    ]
    path = folder / "key.json"
    path.write_text(json.dumps({"study": STUDY, "question": "Same?", "pairs": pairs}))
    return path


def write_answers(folder: Path, annotator: str, values: str, study: str = STUDY) -> Path:
    """Write what an annotator saved: y, n or - for each pair in order."""
    words = {"y": "yes", "n": "no"}
    lines = [
        f"{study},{annotator},{pair},{words[value]}"
        for pair, value in zip(PAIRS, values)
        if value != "-"
    ]
    path = folder / f"{annotator}.csv"
    path.write_text("\n".join(["study,annotator,pair,same", *lines]) + "\n")
    return path
