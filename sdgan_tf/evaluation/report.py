"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from sdgan_tf.evaluation.bootstrap import Estimate
from sdgan_tf.evaluation.factors import LEAST_EXPLAINED
from sdgan_tf.evaluation.plots import roc_png
from sdgan_tf.evaluation.results import Row
from sdgan_tf.files import atomic_file, local_path, remove_file, write_json
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

- AUC, accuracy, FAR (false accept rate): of verification by {verifier}. It is given {verifier_input}. Its threshold was chosen on validation identities. An AUC of .5 is chance.
- AUC sharing z_O: of pairs that share z_O and not z_I. Near .5: z_O tells nothing of the identity. Above: identity leaks into z_O. Of real images it is that of two identities whose left, right and upper borders are most alike in colour, as if both stood before one background: a verifier that scores these above .5 takes surroundings for the person, and no less is to be expected of a z_O that shares them.
- ID-Div, All-Div: 1 - mean MS-SSIM, over pairs of one identity and over all pairs. {diversity}.
- Capacity: how many identities there are, estimated from how often two of them are taken for one, at the threshold that takes {rate:.0%} of real ones; no limit seen: no more often than real ones.
- FD, KD: Frechet and kernel distance to {reference:,} training images, drawn uniformly over identities, in the named space of features; FD of {images:,} images. They have no intervals: resampling repeats images, which moves both distances far above what distinct images give. Unseen real identities do not score 0, because they are other people, and few.
- MB: parameters of G and D in float32, 1 MB = 1,000,000 bytes.
- {pairs:,} pairs of each source, half matched; seed {seed}.
"""

FACTORS_LEGEND = f"""\
Share of a factor's variance in generated images that comes from z_I alone / from z_O alone; the rest takes both, or is the reader's error. In
brackets: 95 % intervals by resampling both codes; the reader's error is not in them. Last the factor's spread, of 1 in real images. Read: how much of the factor a regressor explains on unseen people; factors that it explains
less than {LEAST_EXPLAINED:.0%} of are left out. Real: share of the variance that lies between people where the regressor reads real images. It errs by who is shown, too: of a factor that belongs to the observation, no less is to be
expected of z_I.
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
            distance = row.fidelity[space]
            cells += [f"{distance.frechet:.3f}", f"{1000 * distance.kernel:.2f}"]
        lines.append([*cells, "-" if row.megabytes is None else f"{row.megabytes:.1f}"])
    return _markdown(lines)


def factor_table(rows: Sequence[Row]) -> str:
    """Which code moves which known factor, as a Markdown table; empty where none is known."""
    known = [row for row in rows if row.factors]
    if not known:
        return ""
    heads = ["Factor", "Belongs to", "Read", "Real", *(_plain(row.name) for row in known)]
    lines = [heads, ["---"] * len(heads)]
    for shares in zip(*(row.factors for row in known)):
        first, *_ = shares
        cells = (
            f"{_share(one.identity, one.identity_interval)} / "
            f"{_share(one.observation, one.observation_interval)}; {one.spread:.2f}"
            for one in shares
        )
        told = (f"{share:.0%}" for share in (first.explained, first.real))
        lines.append([first.name, first.belongs_to, *told, *cells])
    return _markdown(lines)


def write_report(
    rows: Sequence[Row],
    facts: Mapping[str, Any],
    folder: str | Path,
    images: Mapping[str, tuple[str, np.ndarray]] | None = None,
    more: Sequence[str] = (),
) -> str:
    """Writes `report.md`, `report.json`, `roc.png` and further images to a folder.

    Earlier ones are replaced, each file whole or not at all. The curves in `roc.png` need the extra
    `plots`; without it the report says so in their place.

    Args:
        rows: the real identities first.
        facts: what `evaluator.facts` says of how it was measured.
        folder: made when it does not exist.
        images: captions and uint8 [h, w, c], by name.
        more: further sections in Markdown.

    Returns:
        The table.
    """
    folder = local_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shown = [_plot(rows, folder)]
    for name, (caption, image) in (images or {}).items():
        save_png(image, folder / f"{name}.png")
        shown.append(_image(name, caption))
    factors = factor_table(rows)
    known = [f"## Known factors\n\n{factors}", FACTORS_LEGEND] if factors else []
    text = "\n".join(["# Evaluation\n", table(rows), _legend(rows, facts), *known, *more, *shown])
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
    record["fidelity"] = {name: space._asdict() for name, space in row.fidelity.items()}
    return record


def _plot(rows: Sequence[Row], folder: Path) -> str:
    """The verification curves as the report shows them."""
    try:
        png = roc_png({row.name: row.curve for row in rows})
    except ImportError as error:
        remove_file(folder / "roc.png")  # An earlier one shows other numbers.
        return f"There is no plot of the verification curves. {error}\n"
    with atomic_file(folder / "roc.png") as file:
        file.write(png)
    return _image("roc", "Verification")


def _image(name: str, caption: str) -> str:
    return f"![{_plain(caption)}]({quote(name)}.png)\n\n*{_plain(caption)}*\n"


def _legend(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    known = facts["verifier_facts"].items()
    # But for the fingerprint of its data.
    known = ", ".join(f"{name} {value}" for name, value in known if name != "data")
    lines = [f"- {part.capitalize()}: {summary}" for part, summary in facts["data"].items()]
    legend = LEGEND.format(
        verifier=_plain(facts["verifier"] + (f" ({known})" if known else "")),
        verifier_input=facts["verifier_input"],
        diversity=facts["diversity"],
        rate=facts["capacity_false_accepts"],
        reference=facts["reference_images"],
        images=next(iter(rows[0].fidelity.values())).images,
        pairs=facts["pairs"],
        seed=facts["seed"],
    )
    return legend + "\n".join(lines) + "\n"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    value, low, high = (_number(number) for number in estimate)
    return f"{value} ({low} - {high})"


def _share(share: float, interval: tuple[float, float] | None) -> str:
    ends = "" if interval is None else f" ({interval[0]:.0%} - {interval[1]:.0%})"
    return f"{share:.0%}{ends}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "no limit seen"
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def _plain(text: str) -> str:
    """Text that stays text in Markdown, whatever it is, and does not end a cell of a table."""
    return re.sub(r"([\\`*\[\]<>&])", r"\\\1", " ".join(text.replace("|", "/").split()))
