"""Whose job a trainer does. Real trainings are in tests/faults."""

import pytest

from ml.jobs.queue import JobTable
from ml.jobs.trainer import run_job


def test_a_job_is_run_only_with_its_lease(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    table = JobTable(tmp_path)
    with pytest.raises(LookupError):
        run_job("0" * 32, home=tmp_path)
    job = table.submit({}, "a", epochs=1)
    monkeypatch.delenv("FASHION_LEASE", raising=False)
    with pytest.raises(LookupError):
        run_job(job.id, home=tmp_path)
    table.claim()
    monkeypatch.setenv("FASHION_LEASE", "another")
    with pytest.raises(LookupError, match="python -m ml work"):
        run_job(job.id, home=tmp_path)
    assert table.get(job.id).state == "running"
