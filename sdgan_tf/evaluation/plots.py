"""Plots of the report, by matplotlib, which the extra `plots` brings."""

from __future__ import annotations

import io
from collections.abc import Mapping

from sdgan_tf.evaluation.verification import Curve

# These differ for colour-blind eyes, too (Okabe and Ito).
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def roc_png(curves: Mapping[str, Curve]) -> bytes:
    """Verification curves by name, false against true accept rate, as a PNG file.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        # Without pyplot, which would look for a display.
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Plots are drawn by matplotlib, which is not installed: pip install -e '.[plots]'"
        ) from error
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=COLOURS)
    axes.set(xlabel="False accept rate", ylabel="True accept rate", aspect="equal")
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    lines = [axes.plot(*curve)[0] for curve in curves.values()]
    for text in axes.legend(lines, list(curves), loc="lower right").get_texts():
        text.set_parse_math(False)  # Names are not formulas, though they may hold a dollar sign.
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
