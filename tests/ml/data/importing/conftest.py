"""What tests of imports share: a home of their own, and the files of some pictures."""

import pytest

from tests.ml.data.importing.seen import drawn, png


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))


@pytest.fixture
def pictures():
    """Bytes of N pictures that differ."""
    return [png(pixels) for pixels in drawn()]
