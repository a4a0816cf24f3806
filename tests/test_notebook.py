"""The notebook: of a form that Jupyter takes, and its code runs from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.once

NOTEBOOK = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"
TINY = "IMAGE_SIZE, IDENTITIES, STEPS, DIM = 16, 5, 2, 1"


@pytest.fixture(scope="module")
def cells():
    """Return the cells of the notebook."""
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    return notebook["cells"]


def test_its_form_is_that_of_nbformat_4_without_outputs(cells):
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        code = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | code
        assert not cell.get("outputs") and cell.get("execution_count") is None
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_its_code_runs_at_a_tiny_size(cells, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    sizes = [cell for cell in code if "parameters" in cell["metadata"].get("tags", ())]
    assert len(sizes) == 1
    space = {}
    for cell in code:
        source = TINY if cell is sizes[0] else "".join(cell["source"])
        exec(compile(source, f"{NOTEBOOK.name} {cell['id']}", "exec"), space)
    assert space["images"].shape == (6, 8, 16, 16, 3)
    assert space["way"].shape == (6, 6, 16, 16, 3)
    np.testing.assert_array_equal(space["again"], space["images"])
    assert (tmp_path / "saved_models" / "faces" / "1" / "saved_model.pb").exists()
