"""What tests of imports share: a home of their own, and the files of some pictures."""

import pytest

from tests.ml.data.importing.seen import N, drawn, png


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))


@pytest.fixture
def pictures():
    """Bytes of N pictures that differ."""
    return [png(pixels) for pixels in drawn()]


@pytest.fixture
def put(tmp_path, pictures):
    """put(folder, rows): these pictures in a folder of the source. Gives the source."""

    def write(folder="images", rows=range(N)):
        place = tmp_path / "set" / folder
        place.mkdir(parents=True, exist_ok=True)
        for i in rows:
            (place / f"{i:03}.png").write_bytes(pictures[i])
        return tmp_path / "set"

    return write
