"""The files of a study: the key, and the answers that annotators saved."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

SOURCES = ("real", "generated")
COLUMNS = ["study", "annotator", "pair", "same"]
NO, YES, MISSING = 0, 1, -1
# Files from strangers are read no further than this.
MAX_BYTES = 20_000_000
# As the page asks for them. Such names say nothing to a spreadsheet, to HTML or to Markdown.
_NAME = re.compile(r"[^\W_][\w .\-]{0,59}")
_ANSWERS = {"no": NO, "yes": YES}


class Key(NamedTuple):
    """The truth about a study, in the order of its pairs.

    Attributes:
        study: the study's id.
        question: what annotators were asked.
        pairs: ids.
        sources: str [n], `"real"` or `"generated"`.
        same: bool [n], whether the pair shows one identity.
        groups: int [n, 2], the identities of a real pair's images; of a generated pair the draw.
    """

    study: str
    question: str
    pairs: list[str]
    sources: np.ndarray
    same: np.ndarray
    groups: np.ndarray


def read_key(path: str | Path) -> Key:
    """Reads the key that was written with a page.

    Raises:
        ValueError: the file is not a key.
    """
    try:
        content = json.loads(_read(Path(path)))
        pairs = content["pairs"]
        key = Key(
            str(content["study"]),
            str(content["question"]),
            [str(pair["pair"]) for pair in pairs],
            np.array([SOURCES.index(pair["source"]) for pair in pairs]),
            np.array([bool(pair["same"]) for pair in pairs]),
            np.array([pair["groups"] for pair in pairs], np.int64).reshape(-1, 2),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a key that `bin/study make` wrote ({type(error).__name__}: {error})."
        ) from error
    return key._replace(sources=np.array(SOURCES)[key.sources])


def read_answers(paths: Sequence[str | Path], key: Key) -> dict[str, np.ndarray]:
    """Reads the files that annotators saved.

    Args:
        paths: CSV files with the columns of `COLUMNS`. An annotator's answers may come in several
            files, as long as no pair is answered twice.
        key: of the study.

    Returns:
        By annotator, int8 [n] in the order of `key.pairs`: 1 for "same", 0 for "different", -1 for
        no answer.

    Raises:
        ValueError: a file that is none of this study, or has unknown, repeated or bad entries.
    """
    places = {pair: place for place, pair in enumerate(key.pairs)}
    answers: dict[str, np.ndarray] = {}
    for path in map(Path, paths):
        for line, row in _rows(path):
            where = f"{path}, line {line}"
            annotator, place, value = _checked(row, where, key, places)
            votes = answers.setdefault(annotator, np.full(len(places), MISSING, np.int8))
            if votes[place] != MISSING:
                raise ValueError(
                    f"{where}: {annotator} has answered pair {row['pair']} before. Give each file once, and "
                    "each annotator a name of their own."
                )
            votes[place] = value
    if not answers:
        raise ValueError(
            f"Nothing was answered. Received: {', '.join(map(str, paths)) or 'no file'}"
        )
    return answers


def _read(path: Path) -> str:
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES:,} bytes, which no study has.")
    try:
        # Spreadsheets put a mark in front.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8.") from error


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their line numbers."""
    reader = csv.DictReader(_read(path).splitlines(), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if reader.fieldnames != COLUMNS:
        raise ValueError(
            f"{path} is no file of answers, whose first line is {','.join(COLUMNS)}. "
            f"Received: {str(reader.fieldnames)[:80]}"
        )
    return rows


def _checked(row: dict[str, str], where: str, key: Key, places: dict[str, int]):
    """The annotator, the pair's place and the value of one answer."""
    if None in row or None in row.values():
        raise ValueError(f"{where}: a row has the {len(COLUMNS)} values {','.join(COLUMNS)}.")
    if row["study"] != key.study:
        raise ValueError(f"{where}: an answer to study {row['study'][:40]!r}, not {key.study!r}.")
    if row["pair"] not in places:
        raise ValueError(f"{where}: the study has no pair {row['pair'][:40]!r}.")
    if row["same"] not in _ANSWERS:
        raise ValueError(f"{where}: answers are yes or no. Received: {row['same'][:40]!r}")
    if not _NAME.fullmatch(row["annotator"]):
        raise ValueError(
            f"{where}: an annotator's name has up to 60 letters, digits, spaces, and ._-, a letter or digit "
            f"first. Received: {row['annotator'][:80]!r}"
        )
    return row["annotator"], places[row["pair"]], _ANSWERS[row["same"]]
