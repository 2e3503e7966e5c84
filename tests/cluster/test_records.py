"""What people say of runs again, in a real PostgreSQL."""

import pytest

from dashboard.services.jobs import Jobs
from tests.dashboard.records.test_runs import *  # noqa: F403
from tests.dashboard.records.test_runs import (
    test_a_database_that_comes_back_is_used_again,
    test_migrations_go_forward_beside_the_jobs_tables,
    test_without_a_database_looking_works_and_changes_are_declined,
)

pytestmark = pytest.mark.faults

# these are about SQLite's own file
del test_a_database_that_comes_back_is_used_again
del test_migrations_go_forward_beside_the_jobs_tables
del test_without_a_database_looking_works_and_changes_are_declined


@pytest.fixture
def jobs(tmp_path, no_artifacts, monkeypatch, postgres):
    monkeypatch.setenv("FASHION_DB", postgres())
    return Jobs(tmp_path / "own", artifacts=no_artifacts)
