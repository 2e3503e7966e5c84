"""What asks a network, on a toy run that was really trained."""

import pytest

from dashboard.data.store import Store
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs


@pytest.fixture
def asking(home, no_artifacts):
    """Services over the toy run alone."""
    return Services(Store(no_artifacts, home), Jobs(home, artifacts=no_artifacts))


@pytest.fixture
def toy(asking):
    """The toy run."""
    return asking.store.open("toy")
