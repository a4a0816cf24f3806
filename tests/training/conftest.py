"""One traced model for all tests of training: tracing is what takes the time."""

from __future__ import annotations

import pytest

from tests import tiny


@pytest.fixture(scope="session")
def people():
    """Return random pictures by identity."""
    return tiny.people()


@pytest.fixture(scope="session")
def traced():
    """Return a model with all later additions on, and its first state."""
    made = tiny.model(**tiny.MODERN)
    return made, tiny.values(made)


@pytest.fixture
def model(traced):
    """Return the model in its first state."""
    tiny.restore(*traced)
    return traced[0]
