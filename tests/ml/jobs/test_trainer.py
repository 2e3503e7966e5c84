"""The trainer's own judgements: pace, causes, and whose job it is. Real trainings are in tests/faults."""

import errno

import pytest

from ml.jobs.table import JobTable
from ml.jobs.trainer import LEASE, MEMORY, OUT_OF_MEMORY, Pace, cause_of, run_job


def test_pace_looks_at_the_last_ten_seconds():
    pace = Pace(batch_size=100)
    assert pace.at(0, 1000, now=0.0) == (None, None)
    assert pace.at(10, 1000, now=5.0) == (pytest.approx(495), pytest.approx(200))
    pace.at(20, 1000, now=10.0)
    # ten times faster from here on; the slow start drops out of the window
    pace.at(120, 1000, now=15.0)
    left, speed = pace.at(220, 1000, now=20.0)
    assert speed == pytest.approx(2000)
    assert left == pytest.approx(39)


class DataMissing(RuntimeError):
    """Named like the one in ml.data."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), OUT_OF_MEMORY),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), "disk is full"),
        (PermissionError(errno.EACCES, "denied", "/secret/place"), "cannot be written"),
        (DataMissing("look in /secret/place"), "fetch the data set"),
        (KeyError("unknown model 'x'; known: a, b"), "unknown model 'x'"),
        (FileExistsError(errno.EEXIST, "exists", "/secret/place"), "exists already"),
        (ZeroDivisionError("secret"), "ZeroDivisionError"),
    ],
)
def test_causes_are_sentences_without_paths(error, words, monkeypatch):
    monkeypatch.delenv(MEMORY, raising=False)
    assert words in cause_of(error)
    assert "secret" not in cause_of(error)


def test_a_job_is_run_only_with_its_lease(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    table = JobTable(tmp_path)
    with pytest.raises(LookupError):
        run_job("0" * 32, home=tmp_path)
    job = table.submit({}, "a", epochs=1)
    monkeypatch.delenv(LEASE, raising=False)
    with pytest.raises(LookupError):
        run_job(job.id, home=tmp_path)
    table.claim()
    monkeypatch.setenv(LEASE, "another")
    with pytest.raises(LookupError, match="python -m ml work"):
        run_job(job.id, home=tmp_path)
    assert table.get(job.id).state == "running"
