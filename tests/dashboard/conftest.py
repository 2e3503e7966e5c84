"""What tests of the dashboard share: a home to train in, where nothing is trained."""

import dataclasses

import pytest

from ml.jobs import start
from tests.callbacks import fired_in_process
from tests.promises import promised


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A run that a test has just laid down is looked through before it is asked for, however busy the machine is."""
    from dashboard.data import store

    monkeypatch.setattr(store, "PATIENCE", promised(30))


@pytest.fixture(scope="session", autouse=True)
def quick_passwords():
    """Who signs in is asked here, not how hard a password is to guess: tests/ml/people hashes as the product does."""
    from argon2 import PasswordHasher

    from ml.people import accounts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
def no_worker(monkeypatch):
    """Nothing is trained here; counts how often a worker would have been started."""
    started = []
    monkeypatch.setattr(start, "start_worker", lambda home: started.append(home))
    return started


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """A home with an imported data set of 600 training pictures, and nothing else."""
    from ml.artifacts.writer import write_pictures
    from ml.data import synthetic

    home = tmp_path_factory.mktemp("bars")
    dataset = dataclasses.replace(synthetic.load("synthetic-4-28x28x1"), name="bars", title="Bars")
    write_pictures(home, dataset, complete=True)
    return home


@pytest.fixture
def own(tmp_path, bars, no_artifacts):
    """A home of the test's own that can be trained in."""
    home = tmp_path / "own"
    home.mkdir()
    (home / "datasets").symlink_to(bars / "datasets")
    return home


@pytest.fixture
def client(own, no_artifacts):
    """Fires callbacks of the app on that home."""
    from dashboard.shell import create_app

    return fired_in_process(create_app(no_artifacts, home=own))
