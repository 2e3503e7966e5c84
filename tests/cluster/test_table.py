"""The job rows again, in a real PostgreSQL."""

import pytest

from ml.jobs.queue import JobTable
from tests.ml.jobs.test_liveness import *  # noqa: F403
from tests.ml.jobs.test_queue import *  # noqa: F403

pytestmark = pytest.mark.faults


@pytest.fixture
def table(tmp_path, monkeypatch, postgres):
    monkeypatch.setenv("FASHION_DB", postgres())
    return JobTable(tmp_path)
