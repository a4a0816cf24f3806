"""What all tests share. TensorFlow is quietened before it is imported: its notes bury failures."""

from __future__ import annotations

import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

# The batteries' assertions explain themselves as those in test files do.
pytest.register_assert_rewrite("tests.models.model_case", "tests.networks.network_case")


@pytest.fixture
def tuples():
    """Return a maker of real tuples: uint8 [count, k, size, size, channels]."""

    def make(count=4, k=2, size=8, channels=3, seed=0):
        shape = (count, k, size, size, channels)
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.fixture(scope="module")
def browser():
    """Return a browser without a window; where there is none, its tests are skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright, the extra `browser`")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Chromium on the PATH, as from apt-get install chromium")
    with api.sync_playwright() as playwright:
        # As root, as in a container, it has no sandbox.
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
