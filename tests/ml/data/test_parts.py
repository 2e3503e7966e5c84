"""An import in parts that several processes read is the import that one of them would have made, bit for bit."""

import base64
import csv
import hashlib
import io
import json
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ml import data
from ml.data import Choices, helping, import_dataset
from ml.data.helping import Away

CHANCE = np.random.default_rng(3)


class Two:
    """Has every other part done by somebody who did not plan it, who opens the plan anew; some of them twice."""

    def __init__(self, home):
        self.folder = home / "shards" / "job"
        self.helped, self.plans = 0, []

    def __call__(self, shards):
        self.plans.append(shards.name)
        for number in range(shards.n):
            before = []
            for time in range(1 + (number % 3 == 0)):
                if (number + time) % 2:
                    with helping.opened(self.folder, shards.name) as theirs:
                        assert (theirs.name, theirs.n) == (shards.name, shards.n)
                        theirs.do(number)
                        self.helped += 1
                else:
                    shards.do(number)
                if time:
                    assert self.bytes_of(shards.name, number) == before, "twice gives the same bytes"
                before = self.bytes_of(shards.name, number)
            assert shards.there(number)
            shards.tell(number + 1)
            if shards.last(number):
                return

    def bytes_of(self, plan, number):
        return [one.read_bytes() for one in sorted((self.folder / plan).glob(f"{number:06}*"))]


@pytest.fixture
def homes(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_SHARD", "7")
    return tmp_path / "whole", tmp_path / "parts"


def contents(home, name="pets"):
    """File → digest of everything in the data set's folder, dataset.json but for when it was made."""
    folder = home / "datasets" / name
    found = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in folder.iterdir()
        if one.is_file() and one.name != "dataset.json"
    }
    described = json.loads((folder / "dataset.json").read_text())
    return found, {key: value for key, value in described.items() if key != "imported"}


def picture(size, colour=False):
    return Image.fromarray(CHANCE.integers(0, 256, (*size, 3) if colour else size, np.uint8))


def pets(top, n=20, colour=False):
    for label in ("cat", "dog", "owl"):
        (top / label).mkdir(parents=True)
        for i in range(n):
            picture((9 + i % 2, 12), colour).save(top / label / f"{i:03}.png")
    return top


def folder_of_all(place):
    """Copies, broken files, 16-bit and nearly black ones."""
    top = pets(place / "pets")
    (top / "cat" / "broken.png").write_bytes(b"no picture")
    (top / "dog" / "005.png").write_bytes((top / "cat" / "005.png").read_bytes())
    (top / "dog" / "006.png").write_bytes((top / "dog" / "007.png").read_bytes())
    Image.fromarray(CHANCE.integers(0, 9, (12, 12)).astype(np.uint16)).save(top / "owl" / "dark.png")
    return top


def a_zip(place):
    top = folder_of_all(place)
    with zipfile.ZipFile(place / "pets.zip", "w") as archive:
        for file in sorted(top.rglob("*.png")):
            archive.write(file, file.relative_to(place))
    return place / "pets.zip"


def a_table(place):
    """Some without a label, which are a split of their own."""
    with (place / "pets.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        for i in range(60):
            content = io.BytesIO()
            picture((10, 10)).save(content, "PNG")
            text = base64.b64encode(content.getvalue()).decode()
            rows.writerow([text, "" if i % 10 == 9 else ("cat", "dog")[i % 2]])
    return place / "pets.csv"


def arrays(place):
    labels = np.arange(60) % 3
    np.savez(place / "pets.npz", images=CHANCE.integers(0, 256, (60, 8, 8), np.uint8), labels=labels)
    return place / "pets.npz"


@pytest.mark.parametrize("source", [folder_of_all, a_zip, a_table, arrays], ids=lambda one: one.__name__)
def test_parts_make_the_very_same_data_set(source, tmp_path, homes):
    place, (whole, parts) = source(tmp_path), homes
    made = import_dataset(place, "pets", home=whole)
    share = Two(parts)
    again = import_dataset(place, "pets", home=parts, share=share)
    assert share.helped > 3
    assert contents(parts) == contents(whole)
    assert again.dataset.digest == made.dataset.digest
    assert (again.left_out.files, again.dim, again.copied, again.in_conflict) == (
        made.left_out.files, made.dim, made.copied, made.in_conflict
    )  # fmt: skip


def test_a_picture_with_colour_begins_it_anew(tmp_path, homes, monkeypatch):
    top, (whole, parts) = pets(tmp_path / "pets"), homes
    monkeypatch.setattr("ml.data.importing.looks.DECODED", 1)  # as of many pictures few are looked at
    picture((9, 12), colour=True).save(top / "dog" / "011.png")
    import_dataset(top, "pets", home=whole)
    share = Two(parts)
    made = import_dataset(top, "pets", home=parts, share=share)
    assert made.dataset.shape[2] == 3
    assert len(set(share.plans)) == 2
    assert len([*(share.folder / share.plans[0]).glob("*.npy")]) == 4, "none after the one in which it is"
    assert contents(parts) == contents(whole)
    assert made.taken.why_colour == "dog/011.png has colour"


def test_pictures_are_added_in_parts(tmp_path, homes):
    top, more = pets(tmp_path / "pets"), pets(tmp_path / "more", 9)
    for i in (3, 4):
        (more / "cat" / f"{i:03}.png").write_bytes((top / "cat" / f"{i:03}.png").read_bytes())
    for home in homes:
        import_dataset(top, "pets", home=home)
    whole, parts = homes
    import_dataset(more, "pets", home=whole, add=True)
    share = Two(parts)
    import_dataset(more, "pets", home=parts, add=True, share=share)
    assert share.helped > 3
    assert contents(parts) == contents(whole)


def test_who_helps_leaves_what_is_not_there_to_others(tmp_path, homes):
    """It may be there on the machine that planned, and would be left out if it were taken as it is here."""
    top, (_, parts) = pets(tmp_path / "pets"), homes

    class Moved(Two):
        def __call__(self, shards):
            top.rename(tmp_path / "away")
            with helping.opened(self.folder, shards.name) as theirs, pytest.raises(Away):
                theirs.do(0)
            assert not shards.there(0)
            (tmp_path / "away").rename(top)
            super().__call__(shards)

    made = import_dataset(top, "pets", home=parts, share=Moved(parts))
    assert made.left_out.files == []


def test_who_helps_with_an_archive_sees_that_it_is_another_one(tmp_path, homes):
    place, (_, parts) = arrays(tmp_path), homes
    labels = np.arange(60) % 3

    class Changed(Two):
        def __call__(self, shards):
            old = place.read_bytes()
            np.savez(place, images=np.zeros((60, 8, 8), np.uint8), labels=labels[::-1])
            with helping.opened(self.folder, shards.name) as theirs, pytest.raises(Away, match="planned"):
                theirs.do(1)
            place.write_bytes(old)
            super().__call__(shards)

    import_dataset(place, "pets", home=parts, share=Changed(parts))


def test_what_lies_in_the_home_is_found_under_another_path_of_it(tmp_path, homes):
    """Machines may see one shared folder in several places."""
    _, home = homes
    top = pets(home / "uploads" / "pets")
    seen = tmp_path / "mnt"

    class Elsewhere(Two):
        def __call__(self, shards):
            home.rename(seen)
            with helping.opened(seen / "shards" / "job", shards.name) as theirs:
                theirs.do(0)
            seen.rename(home)
            super().__call__(shards)

    made = import_dataset(top, "pets", home=home, share=Elsewhere(home))
    assert made.left_out.files == []


def test_the_plan_says_what_is_where(tmp_path, homes):
    top, (_, parts) = pets(tmp_path / "pets"), homes
    share = Two(parts)
    import_dataset(top, "pets", Choices(size=(8, 8)), home=parts, share=share)
    (plan,) = share.plans
    table = pq.read_table(share.folder / plan / "plan.parquet").to_pydict()
    assert [name.decode() for name in table["name"]] == [
        f"{label}/{i:03}.png" for label in ("cat", "dog", "owl") for i in range(20)
    ]
    assert table["label"] == [0] * 20 + [1] * 20 + [2] * 20
    assert [file.decode() for file in table["file"]] == [f"{top}/{name.decode()}" for name in table["name"]]


def test_an_import_in_parts_can_be_given_up(tmp_path, homes):
    top, (_, parts) = pets(tmp_path / "pets"), homes
    share = Two(parts)
    with pytest.raises(data.Cancelled):
        import_dataset(top, "pets", home=parts, share=share, cancelled=lambda: share.helped > 0)
    assert not (parts / "datasets").exists()
