"""A data set that is imported anew: runs that learned from it as it was go on showing it, while that is kept."""

import json
import time

import numpy as np
import pytest

from dashboard.data.store import Store
from dashboard.shell import create_app
from ml.artifacts import picture_sets, writer
from ml.artifacts.reader import Library, Missing
from ml.data.base import Dataset, Split, digest
from tests.dashboard.web.test_identity import HOST


def dataset(value: int, **hashes: str) -> Dataset:
    def split(first: int, n: int) -> Split:
        ids = np.arange(first, first + n, dtype=np.int32)
        return Split(np.full((n, 4, 4, 1), value, np.uint8), ids.astype(np.int64) % 2, ids)

    splits = {"train": split(0, 6), "validation": split(6, 2), "test": split(8, 2)}
    return Dataset("pets", "Pets", ("cat", "dog"), splits, hashes=hashes)


@pytest.fixture
def versions(tmp_path):
    """A home in which pets were imported twice; what its two manifests say."""
    old, new = dataset(10, pictures="a" * 64), dataset(20, pictures="b" * 64)
    folder = writer.write_pictures(tmp_path, old, complete=True)
    folder.rename(picture_sets.put_aside(tmp_path, "pets", writer.describe(old)))
    writer.write_pictures(tmp_path, new, complete=True)
    return tmp_path, writer.describe(old), writer.describe(new)


def test_each_run_sees_the_pictures_it_learned_from(versions, no_artifacts):
    home, old, new = versions
    store = Store(no_artifacts, home)
    assert store.pictures("pets", "test", old).images[0].max() == 10
    assert store.pictures("pets", "test", new).images[0].max() == 20
    assert store.pictures("pets", "test").images[0].max() == 20, "without a run, those of now"
    assert store.picture_set("pets", old)[1] == digest(old)
    assert store.library.folder_of(old).name == f"pets-{digest(old)}"
    assert store.library.folder_of(new) == home / "datasets" / "pets"


def test_addresses_of_both_go_on_naming_what_they_named(versions, no_artifacts):
    home, old, new = versions
    web = create_app(no_artifacts, home=home).server.test_client()
    pages = [web.get(f"/pictures/pets/test/8.png?v={digest(one)}", base_url=HOST) for one in (old, new)]
    assert [page.status_code for page in pages] == [200, 200]
    assert pages[0].data != pages[1].data
    for wrong in ("0" * 16, "..%2F..", "x"):
        assert web.get(f"/pictures/pets/test/8.png?v={wrong}", base_url=HOST).status_code == 404


def test_a_version_that_no_run_uses_goes(versions, no_artifacts):
    home, old, _ = versions
    library = Library(no_artifacts, home)
    library.purge_datasets()
    assert library.versions(), "not before the trash would let go of it"
    library.purge_datasets(time.time() + 31 * 86_400)
    assert not library.versions()
    with pytest.raises(Missing, match="imported anew"):
        library.version_of(old)


def test_one_that_a_run_uses_stays(versions, no_artifacts, monkeypatch):
    home, old, _ = versions
    library = Library(no_artifacts, home)

    class Entry:
        ok, manifest = True, {"dataset": json.loads(json.dumps(old))}

    monkeypatch.setattr(library, "runs", lambda patience=None: [Entry()])
    library.purge_datasets(time.time() + 31 * 86_400)
    assert [one.name for one in library.versions()] == [f"pets-{digest(old)}"]
