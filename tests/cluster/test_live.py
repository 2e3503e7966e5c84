"""Feedback and counters again, in a real PostgreSQL."""

import pytest

from dashboard.services.jobs import Jobs
from tests.dashboard.records.test_feedback import *  # noqa: F403
from tests.dashboard.records.test_feedback import test_only_this_database_can_sign_and_a_restart_keeps_it
from tests.dashboard.records.test_prediction_log import (  # noqa: F401
    still,
    test_an_hour_a_day_and_all_look_back_so_far,
    test_counts_survive_a_restart_and_two_processes_add_up,
    test_old_minutes_become_hours_and_nothing_is_lost,
)

pytestmark = pytest.mark.faults

del test_only_this_database_can_sign_and_a_restart_keeps_it  # it is about two databases, and here is one


@pytest.fixture
def jobs(tmp_path, no_artifacts, monkeypatch, postgres):
    monkeypatch.setenv("FASHION_DB", postgres())
    return Jobs(tmp_path / "own", artifacts=no_artifacts)
