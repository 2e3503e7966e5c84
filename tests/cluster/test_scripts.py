"""The rows of scripts in PostgreSQL, which several machines share: all that holds of them in SQLite holds there."""

import pytest

from ml.jobs.queue import JobTable
from tests.ml.jobs import test_scripts as alone

rows = alone.rows


@pytest.fixture
def table(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_DB", postgres())
    return JobTable(tmp_path)


globals().update({name: test for name, test in vars(alone).items() if name.startswith("test_")})
