"""The file that a picture was made of, over HTTP: as it came, turned upright, or why it cannot be shown."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dashboard.components.evidence import came_as
from dashboard.services.datasets import DatasetRegistry
from dashboard.shell import create_app
from ml import data
from tests.dashboard.web.test_identity import HOST


@pytest.fixture
def pets(tmp_path, no_artifacts):
    """The app on a data set of 30 x 20 pictures fitted to 8 x 8, and where they lie."""
    for name in ("cat", "dog"):
        folder = tmp_path / "pets" / name
        folder.mkdir(parents=True)
        for i in range(12):
            rng = np.random.default_rng(i + 100 * len(name) + ord(name[0]))
            exif = Image.Exif()
            exif[0x0112] = 6 if i == 0 else 1
            Image.fromarray(rng.integers(0, 256, (30, 20, 3)).astype(np.uint8)).save(folder / f"{i:02d}.png", exif=exif)
    data.import_dataset(tmp_path / "pets", "pets", data.Choices(size=(8, 8)), home=tmp_path / "home")
    return create_app(no_artifacts, home=tmp_path / "home"), tmp_path / "pets"


def shown(answer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.data)))


def test_it_is_shown_as_it_came(pets):
    app, place = pets
    web = app.server.test_client()
    digest = app.store.picture_set("pets")[1]
    answer = web.get(f"/originals/pets/3.png?v={digest}", base_url=HOST)
    wanted = np.asarray(Image.open(place / "cat" / "03.png"))
    assert answer.status_code == 200
    assert np.array_equal(shown(answer), wanted)
    assert shown(web.get("/originals/pets/0.png", base_url=HOST)).shape == (20, 30, 3), "upright"
    assert web.get("/originals/pets/3.png?v=0123456789abcdef", base_url=HOST).status_code == 404


def test_one_that_moved_is_said(pets):
    app, place = pets
    place.rename(place.with_name("elsewhere"))
    web = app.server.test_client()
    answer = web.get("/originals/pets/3.png", base_url=HOST)
    assert answer.status_code == 404
    assert "is not where it was when it was imported" in answer.get_json()["error"]
    for wrong in ("pets/999", "rocks/1", "fashion-mnist/1"):
        assert web.get(f"/originals/{wrong}.png", base_url=HOST).status_code == 404


def test_the_drawer_leads_to_it(pets):
    app, _ = pets

    class Run:
        dataset = app.store.library.picture_set("pets").described
        picture_set = app.store.picture_set("pets")

    services = SimpleNamespace(datasets=DatasetRegistry(app.store.library, None, None))
    words = came_as(services, Run(), 3)
    assert words[1].children == "cat/03.png"
    assert words[1].href == f"/originals/pets/3.png?v={Run.picture_set[1]}"
    Run.dataset = {**Run.dataset, "name": "rocks"}
    assert came_as(services, Run(), 3) == []
