"""A job table of its own for each test."""

import pytest

from ml.jobs.queue import JobTable


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    return JobTable(tmp_path)
