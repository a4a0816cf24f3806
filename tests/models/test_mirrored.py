"""Training on several devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def run():
    """Return what `mirrored_run.py` printed on two logical devices, in a process that has them."""
    here = Path(__file__).parent
    paths = [str(here.parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, str(here / "mirrored_run.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_mirrored_training():
    # One test, or each worker of a parallel run would start the process, which takes half a minute.
    results = run()
    assert results["replicas"] == 2
    assert results["moved"]
    for model in (results["sdgan"], results["sdbegan"], results["conditional"]):
        assert model["step"] == 2
        assert np.all(np.isfinite(model["losses"]))
        assert model["apart"] == [], "replicas hold the same weights, moments and counters"

    # A generator whose turn comes at every other step moves then, on both replicas alike. A log is the mean over
    # replicas: a discriminator that has learned nothing costs ln 2.
    assert results["critic"]["moved"] == [False, True, False, True]
    assert results["critic"]["apart"] == [] and results["critic"]["step"] == 4
    assert results["critic"]["losses"] == pytest.approx([np.log(2), np.log(2)], abs=0.02)

    # Batch norm of both replicas' batches together is that of one device.
    np.testing.assert_allclose(results["norm"], 0, atol=1e-3)

    # Replicas draw different codes.
    first, second = results["codes"]
    assert np.shape(first) == np.shape(second) == (4, 5)
    assert not np.any(np.isclose(first, second))

    # An update is the mean over replicas: the loss is the sum of the weights, times 1 on one of
    # them and times 3 on the other.
    np.testing.assert_allclose(results["change"], -2.0, rtol=1e-5)

    # BEGAN's balance moves in each step by the rate (.1) times the mean balance of both replicas.
    balances = results["sdbegan"]["balances"]
    assert np.shape(balances) == (2, 2) and abs(balances[0][0] - balances[0][1]) > 1e-4
    assert results["sdbegan"]["k_t"] == pytest.approx(0.1 * np.sum(np.mean(balances, 1)), rel=1e-3)
