"""The report: a table, its JSON, and images."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.evaluation import Row, table, write_report
from sdgan_tf.evaluation.bootstrap import Estimate
from sdgan_tf.evaluation.factors import Share
from sdgan_tf.evaluation.report import factor_table
from sdgan_tf.evaluation.results import Fidelity
from sdgan_tf.evaluation.verification import Curve

STEP = Curve(np.array([0, 0.25, 1.0]), np.array([0, 1.0, 1.0]))
DIAGONAL = Curve(np.array([0, 1.0]), np.array([0, 1.0]))
FACTS = {
    "verifier": "eye",
    "verifier_input": "grey images of 8x8 pixels, scale unit, cosine distance",
    "verifier_facts": {"identities": 7},
    "capacity_false_accepts": 0.01,
    "pairs": 200,
    "seed": 3,
    "diversity": "MS-SSIM as it was",
    "reference_images": 1234,
    "data": {"test": "9 identities"},
}


FACTORS = [
    Share("hair", "identity", 0.9, 0.05, 0.05, 1.1, 0.92, 0.89, (0.85, 0.93), (0.0, 0.1)),
    Share("tilt", "observation", 0.0, 0.98, 0.02, 0.7, 0.45, 0.07),
]


def row(name, capacity=None, megabytes=None, same=None, factors=()):
    number = Estimate(0.9, 0.85, 0.9456)
    spaces = {"eye": Fidelity(0.5, 77, 0.00123, 0.1), "a|b": Fidelity(1.5, 77, -0.001, 0.1)}
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
        "FD (eye)", "KD x 1000 (eye)", "FD (a/b)", "KD x 1000 (a/b)", "MB",
    ]  # fmt: skip
    assert rule == "|" + " --- |" * 13
    assert real.startswith("| real | 0.900 (0.850 - 0.946) | - | 0.900")
    assert real.endswith("| - | 0.500 | 1.23 | 1.500 | -1.00 | - |")
    assert fake.startswith("| fake / one | ")
    assert "| 1,234 (20 - no limit seen) |" in fake
    assert fake.endswith("| 56.7 |")


def test_known_factors_have_a_table_of_their_own():
    head, _, hair, tilt = factor_table(ROWS).splitlines()
    assert head == "| Factor | Belongs to | Read | Real | fake / one |"
    assert hair == "| hair | identity | 92% | 89% | 90% (85% - 93%) / 5% (0% - 10%); 1.10 |"
    assert tilt == "| tilt | observation | 45% | 7% | 0% / 98%; 0.70 |"
    assert factor_table(ROWS[:1]) == ""


def test_the_report_lies_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("sdgan_tf.evaluation.report.roc_png", lambda curves: b"curves")
    folder = tmp_path / "new" / "report"
    image = np.full([4, 6, 3], 7, np.uint8)
    for _ in range(2):
        written = write_report(ROWS, FACTS, folder, {"samples": ("Some samples", image)})
    assert written == table(ROWS)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["report.json", "report.md", "roc.png", "samples.png"]
    text = (folder / "report.md").read_text()
    assert table(ROWS) in text
    assert factor_table(ROWS) in text
    for part in ("eye (identities 7)", "MS-SSIM as it was", "1,234 training", "1% of real",
                 "FD of 77", "200 pairs", "grey images of 8x8 pixels, scale unit, cosine",
                 "They have no intervals: resampling", "by resampling both codes", "seed 3", "Test: 9 identities",
                 "![Some samples](samples.png)", "![Verification](roc.png)"):  # fmt: skip
        assert part in text
    report = json.loads((folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert report["facts"] == FACTS
    real, fake = report["rows"]
    assert real["factors"] == [] and fake["factors"][0]["name"] == "hair"
    assert real["capacity"] is None
    assert fake["capacity"] == {"value": 1234.5, "low": 20.25, "high": None}
    assert fake["auc"] == {"value": 0.9, "low": 0.85, "high": 0.9456}
    assert fake["fidelity"]["eye"]["images"] == 77
    assert np.all(np.asarray(Image.open(folder / "samples.png")) == 7)


def test_without_the_extra_the_report_has_no_plot_and_says_which_extra_brings_it(
    tmp_path, monkeypatch
):
    # This is what Python takes for a module that is not there.
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (tmp_path / "roc.png").write_bytes(b"of an earlier report")
    write_report(ROWS, FACTS, tmp_path)
    assert not (tmp_path / "roc.png").exists()
    text = (tmp_path / "report.md").read_text()
    assert "There is no plot" in text and "pip install -e '.[plots]'" in text
    assert "roc.png" not in text


def test_names_from_outside_stay_text(tmp_path, monkeypatch):
    monkeypatch.setattr("sdgan_tf.evaluation.report.roc_png", lambda curves: b"curves")
    name = "<img src=x> [a](http://b) `c` | d\n# e"
    plain = r"\<img src=x\> \[a\](http://b) \`c\` / d # e"
    facts = {**FACTS, "verifier": name, "verifier_facts": {"loss": name}}
    image = np.zeros([1, 1, 3], np.uint8)
    write_report([row(name), row(name, factors=FACTORS)], facts, tmp_path, {"a (b)": (name, image)})
    text = (tmp_path / "report.md").read_text()
    for part in (f"| {plain} | ", f"of verification by {plain} (identities", f"loss {plain})",
                 f"![{plain}](a%20%28b%29.png)", f"| Real | {plain} |"):  # fmt: skip
        assert part.replace("identities", "loss") in text, part
    assert "<img" not in text.replace(r"\<img", "")
