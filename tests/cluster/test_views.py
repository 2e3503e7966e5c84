"""Saved views again, in a real PostgreSQL."""

import pytest

from dashboard.services.jobs import Jobs
from ml.system import database
from tests.dashboard.records.test_views import *  # noqa: F403
from tests.dashboard.records.test_views import views  # noqa: F401

pytestmark = pytest.mark.faults


@pytest.fixture
def jobs(tmp_path, no_artifacts, monkeypatch, postgres):
    monkeypatch.setenv("FASHION_DB", postgres())
    made = Jobs(tmp_path / "own", artifacts=no_artifacts)
    yield made
    database.open_engine(made.home).dispose()
