"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sdgan_tf.evaluation.bootstrap import Estimate
from sdgan_tf.evaluation.factors import LEAST_EXPLAINED
from sdgan_tf.evaluation.plot import roc_picture
from sdgan_tf.evaluation.results import Row
from sdgan_tf.files import atomic_file, write_json
from sdgan_tf.images import save_png

# Field of `Row` and what the table calls it.
COLUMNS = {
    "auc": "AUC",
    "auc_same_observation": "AUC sharing z_O",
    "accuracy": "Accuracy",
    "false_accepts": "FAR",
    "id_div": "ID-Div",
    "all_div": "All-Div",
    "capacity": "Capacity",
}

LEGEND = """\
In brackets: 95 % intervals by resampling identities.

- AUC, accuracy, FAR (false accept rate): of verification by {verifier}, with its threshold chosen on validation identities. .5 is chance.
- AUC sharing z_O: of pairs that share z_O and not z_I. Near .5: z_O tells nothing of the identity. Above: identity leaks into z_O.
- ID-Div, All-Div: 1 - mean MS-SSIM, over pairs of one identity and over all pairs. {diversity}.
- Capacity: how many identities there are, judged by how often two of them are taken for one, at the threshold that takes {rate:.0%} of real ones; no limit seen: no more often than real ones.
- FD, KD: Frechet and kernel distance to {reference:,} training pictures in the named space of features; FD of {pictures:,} pictures. Unseen real identities do not score 0: they are others, and few.
- MB: parameters of G and D in float32, 1 MB = 1,000,000 bytes.
- {pairs:,} pairs of each source, half matched; seed {seed}.
"""

FACTORS_LEGEND = f"""\
Share of a factor's variance in generated pictures that comes from z_I alone / from z_O alone; the rest takes both, or is the reader's error. In
brackets the factor's spread, of 1 in real pictures. Read: how much of the factor a regressor explains on unseen people; factors that it explains
less than {LEAST_EXPLAINED:.0%} of are left out.
"""


def table(rows: Sequence[Row]) -> str:
    """Results as a Markdown table."""
    spaces = list(rows[0].fidelity)
    heads = [
        "Source",
        *COLUMNS.values(),
        *(f"{what} ({_plain(space)})" for space in spaces for what in ("FD", "KD x 1000")),
        "MB",
    ]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        cells = [_plain(row.name), *(_estimate(getattr(row, field)) for field in COLUMNS)]
        for space in spaces:
            found = row.fidelity[space]
            cells += [f"{found.frechet:.3f}", f"{1000 * found.kernel:.2f}"]
        lines.append([*cells, "-" if row.megabytes is None else f"{row.megabytes:.1f}"])
    return _markdown(lines)


def factor_table(rows: Sequence[Row]) -> str:
    """Which code moves which known factor, as a Markdown table; empty where none is known."""
    known = [row for row in rows if row.factors]
    if not known:
        return ""
    heads = ["Factor", "Belongs to", "Read", *(_plain(row.name) for row in known)]
    lines = [heads, ["---"] * len(heads)]
    for found in zip(*(row.factors for row in known)):
        parts = (f"{one.identity:.0%} / {one.observation:.0%} ({one.spread:.2f})" for one in found)
        lines.append([found[0].name, found[0].belongs_to, f"{found[0].explained:.0%}", *parts])
    return _markdown(lines)


def write_report(
    rows: Sequence[Row],
    facts: Mapping[str, Any],
    folder: str | Path,
    pictures: Mapping[str, tuple[str, np.ndarray]] | None = None,
) -> str:
    """Writes `report.md`, `report.json`, `roc.png` and further pictures to a folder.

    Earlier ones are replaced, each file whole or not at all.

    Args:
        rows: the real identities first.
        facts: what `evaluate.facts` says of how it was measured.
        folder: made when it does not exist.
        pictures: captions and uint8 [h, w, c], by name.

    Returns:
        The table.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    curves = roc_picture({row.name: row.curve for row in rows})
    pictures = {"roc": ("Verification", curves), **(pictures or {})}
    for name, (_, picture) in pictures.items():
        save_png(picture, folder / f"{name}.png")
    shown = [
        f"![{caption}]({name}.png)\n\n*{caption}*\n" for name, (caption, _) in pictures.items()
    ]
    factors = factor_table(rows)
    known = [f"## Known factors\n\n{factors}", FACTORS_LEGEND] if factors else []
    text = "\n".join(["# Evaluation\n", table(rows), _legend(rows, facts), *known, *shown])
    with atomic_file(folder / "report.md") as file:
        file.write(text.encode())
    write_json(folder / "report.json", {"facts": facts, "rows": [as_json(row) for row in rows]})
    return table(rows)


def as_json(row: Row) -> dict[str, Any]:
    """A row as plain JSON, without its curve; infinite numbers become null."""
    record = {"name": row.name, "megabytes": row.megabytes}
    for field in COLUMNS:
        value = getattr(row, field)
        record[field] = value and {
            name: number if math.isfinite(number) else None
            for name, number in value._asdict().items()
        }
    record["factors"] = [share._asdict() for share in row.factors]
    record["fidelity"] = {space: found._asdict() for space, found in row.fidelity.items()}
    return record


def _legend(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    known = facts["verifier_facts"].items()
    # But for the fingerprint of its data.
    known = ", ".join(f"{name} {value}" for name, value in known if name != "data")
    lines = [f"- {part.capitalize()}: {summary}" for part, summary in facts["data"].items()]
    legend = LEGEND.format(
        verifier=f"{facts['verifier']}" + (f" ({known})" if known else ""),
        diversity=facts["diversity"],
        rate=facts["capacity_false_accepts"],
        reference=facts["reference_pictures"],
        pictures=next(iter(rows[0].fidelity.values())).pictures,
        pairs=facts["pairs"],
        seed=facts["seed"],
    )
    return legend + "\n".join(lines) + "\n"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return "-"
    value, low, high = (_number(number) for number in found)
    return f"{value} ({low} - {high})"


def _number(value: float) -> str:
    if math.isinf(value):
        return "no limit seen"
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def _plain(text: str) -> str:
    """Text that does not end a cell of a Markdown table."""
    return " ".join(text.replace("|", "/").split())
