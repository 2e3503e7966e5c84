"""A data set that is imported anew under its name: nothing old is shown for new, by the server or by a browser."""

import numpy as np
import pytest
from PIL import Image

from dashboard.data.store import Store
from dashboard.format.images import single_url, sprite_url
from dashboard.shell import create_app
from ml import __main__ as cli
from ml.artifacts.reader import Missing

HERE = "http://127.0.0.1"


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """pets(level, *arguments) imports pictures of that grey level as `pets`; the exit status."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))

    def take(level, *arguments):
        for name in ("Cat", "Dog"):
            (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
            for i in range(12):
                Image.fromarray(np.full((28, 28), level + i, np.uint8)).save(tmp_path / "pets" / name / f"{i}.png")
        return cli.main(["data", "import", str(tmp_path / "pets"), *arguments])

    return take


def test_an_import_over_a_name_needs_a_yes(pets, tmp_path, capsys):
    assert pets(10) == 0
    stored = tmp_path / "home" / "datasets" / "pets" / "test.npz"
    before = stored.read_bytes()
    assert pets(100) == 2
    assert "--new-version" in capsys.readouterr().err
    assert stored.read_bytes() == before
    assert pets(100, "--new-version") == 0
    assert stored.read_bytes() != before
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["datasets"]


def test_a_running_store_reads_the_new_pictures(pets, tmp_path, no_artifacts):
    pets(10)
    store = Store(no_artifacts, tmp_path / "home")
    first, before = store.picture_set("pets"), store.pictures("pets", "test")
    assert store.pictures("pets", "test") is before
    properties = store.about("pets", "properties")
    pets(100, "--new-version")
    assert store.picture_set("pets") != first
    assert store.pictures("pets", "test").images.max() >= 100 > before.images.max()
    assert not store.about("pets", "properties").equals(properties)


def test_the_same_pictures_imported_again_keep_their_addresses(pets, tmp_path, no_artifacts):
    pets(10)
    store = Store(no_artifacts, tmp_path / "home")
    first = store.picture_set("pets")
    pets(10, "--new-version")
    assert store.picture_set("pets") == first


def test_addresses_are_kept_for_a_year_and_old_ones_name_nothing(pets, tmp_path, no_artifacts):
    pets(10)
    app = create_app(no_artifacts, home=tmp_path / "home")
    web, store = app.server.test_client(), app.store
    example = int(store.pictures("pets", "test").ids[0])
    old = [
        make(store.picture_set("pets"), "test", one) for make, one in ((single_url, example), (sprite_url, [example]))
    ]
    answers = [web.get(address, base_url=HERE) for address in old]
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    bare = old[0].partition("?")[0]
    assert web.get(bare, base_url=HERE).headers["Cache-Control"] == "no-cache"
    pets(100, "--new-version")
    assert [web.get(address, base_url=HERE).status_code for address in old] == [404, 404]
    example = int(store.pictures("pets", "test").ids[0])
    assert web.get(single_url(store.picture_set("pets"), "test", example), base_url=HERE).data != answers[0].data


def test_a_set_without_digest_has_one_of_its_files(home, no_artifacts):
    store = Store(no_artifacts, home)
    run = store.open("toy")
    before = run.picture_set
    assert before[1]
    stored = home / "datasets" / before[0] / "test.npz"
    with np.load(stored) as archive:
        arrays = dict(archive)
    np.savez_compressed(stored, **{**arrays, "images": 255 - arrays["images"]})
    assert run.picture_set != before
    assert store.picture_set("../toy") == ("../toy", "")


def test_a_run_of_the_old_pictures_is_not_shown_beside_the_new(pets, tmp_path, no_artifacts):
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    pets(10)
    home = tmp_path / "home"
    config = TrainConfig(model="mlp", dataset="pets", epochs=1, batch_size=16, augment=(), threads=1)
    train(config, run_id="learned", home=home)
    store = Store(no_artifacts, home)
    assert len(store.open("learned").pictures("test").ids)
    pets(100, "--new-version")
    with pytest.raises(Missing, match="imported anew") as missing:
        store.open("learned").pictures("test")
    assert missing.value.command == "python -m ml train --dataset pets"
