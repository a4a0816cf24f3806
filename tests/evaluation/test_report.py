"""The report: a table, its JSON, and pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.evaluation import Row, table, write_report
from sdgan_tf.evaluation.bootstrap import Estimate
from sdgan_tf.evaluation.factors import Share
from sdgan_tf.evaluation.plot import MARGINS, SIZE, roc_picture
from sdgan_tf.evaluation.report import factor_table
from sdgan_tf.evaluation.results import Fidelity
from sdgan_tf.evaluation.verification import Curve

STEP = Curve(np.array([0, 0.25, 1.0]), np.array([0, 1.0, 1.0]))
DIAGONAL = Curve(np.array([0, 1.0]), np.array([0, 1.0]))
FACTS = {
    "verifier": "judge",
    "verifier_facts": {"identities": 7},
    "capacity_false_accepts": 0.01,
    "pairs": 200,
    "seed": 3,
    "diversity": "MS-SSIM as it was",
    "reference_pictures": 1234,
    "data": {"test": "9 identities"},
}


FACTORS = [
    Share("hair", "identity", 0.9, 0.05, 0.05, 1.1, 0.92),
    Share("tilt", "observation", 0.0, 0.98, 0.02, 0.7, 0.45),
]


def row(name, capacity=None, megabytes=None, same=None, factors=()):
    number = Estimate(0.9, 0.85, 0.9456)
    spaces = {"judge": Fidelity(0.5, 77, 0.00123, 0.1), "a|b": Fidelity(1.5, 77, -0.001, 0.1)}
    return Row(
        name,
        number,
        same,
        number,
        number,
        number,
        number,
        capacity,
        spaces,
        STEP,
        megabytes,
        factors,
    )


ROWS = [
    row("real"),
    row("fake | one", Estimate(1234.5, 20.25, np.inf), 56.66, Estimate(0.5, 0.4, 0.6), FACTORS),
]


def test_the_table_has_a_line_for_each_source():
    head, rule, real, fake = table(ROWS).splitlines()
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert columns == [
        "Source", "AUC", "AUC sharing z_O", "Accuracy", "FAR", "ID-Div", "All-Div", "Capacity",
        "FD (judge)", "KD x 1000 (judge)", "FD (a/b)", "KD x 1000 (a/b)", "MB",
    ]  # fmt: skip
    assert rule == "|" + " --- |" * 13
    assert real.startswith("| real | 0.900 (0.850 - 0.946) | - | 0.900")
    assert real.endswith("| - | 0.500 | 1.23 | 1.500 | -1.00 | - |")
    assert fake.startswith("| fake / one | ")
    assert "| 1,234 (20 - no limit seen) |" in fake
    assert fake.endswith("| 56.7 |")


def test_known_factors_have_a_table_of_their_own():
    head, _, hair, tilt = factor_table(ROWS).splitlines()
    assert head == "| Factor | Belongs to | Read | fake / one |"
    assert hair == "| hair | identity | 92% | 90% / 5% (1.10) |"
    assert tilt == "| tilt | observation | 45% | 0% / 98% (0.70) |"
    assert factor_table(ROWS[:1]) == ""


def test_the_report_lies_in_its_folder(tmp_path):
    folder = tmp_path / "new" / "report"
    picture = np.full([4, 6, 3], 7, np.uint8)
    for _ in range(2):
        written = write_report(ROWS, FACTS, folder, {"samples": ("Some samples", picture)})
    assert written == table(ROWS)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["report.json", "report.md", "roc.png", "samples.png"]
    text = (folder / "report.md").read_text()
    assert table(ROWS) in text
    assert factor_table(ROWS) in text
    for part in ("judge (identities 7)", "MS-SSIM as it was", "1,234 training", "1% of real",
                 "FD of 77", "200 pairs", "seed 3", "Test: 9 identities",
                 "![Some samples](samples.png)", "![Verification](roc.png)"):  # fmt: skip
        assert part in text
    found = json.loads((folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert found["facts"] == FACTS
    real, fake = found["rows"]
    assert real["factors"] == [] and fake["factors"][0]["name"] == "hair"
    assert real["capacity"] is None
    assert fake["capacity"] == {"value": 1234.5, "low": 20.25, "high": None}
    assert fake["auc"] == {"value": 0.9, "low": 0.85, "high": 0.9456}
    assert fake["fidelity"]["judge"]["pictures"] == 77
    assert np.all(np.asarray(Image.open(folder / "samples.png")) == 7)


def test_curves_are_drawn_where_they_belong():
    picture = roc_picture({"step": STEP, "chance": DIAGONAL}).astype(int)
    left, top, right, bottom = MARGINS
    assert picture.shape == (top + SIZE + bottom, left + SIZE + right, 3)

    def colour(x, y):
        return picture[round(top + (1 - y) * SIZE), round(left + x * SIZE)]

    assert np.all(colour(0.9, 0.7) == 255)
    # Black goes straight to (.25, 1), blue along the diagonal.
    assert np.all(colour(0.125, 0.5) < 100)
    assert np.all(colour(0.6, 1.0) < 100)
    red, _, blue = colour(0.8, 0.8)
    assert red < 100 < blue
