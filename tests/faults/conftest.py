"""What tests of faults share."""

import dataclasses

import pytest

from tests.faults.trainings import end_all


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A home with one data set of 600 training pictures; its processes end with the test."""
    from ml.artifacts.writer import write_pictures
    from ml.data import synthetic

    home = tmp_path / "home"
    dataset = dataclasses.replace(synthetic.load("synthetic-4-28x28x1"), name="bars", title="Bars")
    write_pictures(home, dataset, complete=True)
    monkeypatch.setenv("FASHION_HOME", str(home))
    monkeypatch.setenv("FASHION_WORKER_IDLE", "3")
    yield home
    end_all(home)
