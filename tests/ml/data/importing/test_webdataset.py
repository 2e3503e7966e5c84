"""Tars as WebDataset writes and reads them: what one sample is, where its label stands."""

import gzip
import io
import json
import tarfile

import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen


def packed(place, files):
    with tarfile.open(place, "w") as archive:
        for name, content in files:
            one = tarfile.TarInfo(name)
            one.size = len(content)
            archive.addfile(one, io.BytesIO(content))
    return place


def labelled(i, kind):
    if kind == "json":
        return json.dumps({"label": i % 2, "label_name": LABELS[i], "width": 9}).encode()
    return f"{i % 2}\n".encode() if kind == "cls" else f"{LABELS[i]}\n".encode()


def samples(pictures, kind, rows=range(N)):
    return [one for i in rows for one in ((f"{i:06}.png", pictures[i]), (f"{i:06}.{kind}", labelled(i, kind)))]


@pytest.mark.parametrize("kind", ["cls", "json", "txt"])
def test_labels_stand_beside_pictures(tmp_path, pictures, kind):
    seen = Seen(packed(tmp_path / "a.tar", samples(pictures, kind)))
    assert seen.content == pictures
    assert seen.classes == (("0", "1") if kind == "cls" else ("block", "ring"))
    assert seen.labels == [str(i % 2) if kind == "cls" else LABELS[i] for i in range(N)]
    assert "samples of WebDataset" in seen.told


def test_shards_of_splits_in_a_folder(tmp_path, pictures):
    (tmp_path / "set").mkdir()
    packed(tmp_path / "set" / "train-000000.tar", samples(pictures, "cls", range(8)))
    packed(tmp_path / "set" / "train-000001.tar", samples(pictures, "cls", range(8, 16)))
    last = packed(tmp_path / "test.tar", samples(pictures, "cls", range(16, N)))
    (tmp_path / "set" / "test-000000.tar.gz").write_bytes(gzip.compress(last.read_bytes()))
    (tmp_path / "set" / "classnames.txt").write_text("square\ncircle\n")
    seen = Seen(tmp_path / "set")
    assert seen.classes == ("square", "circle")
    assert sorted(seen.content) == sorted(pictures)
    assert seen.splits == ["test"] * 8 + ["train"] * 16
    assert seen.content == [*pictures[16:], *pictures[:16]]


def test_a_key_ends_at_the_first_dot(tmp_path, pictures):
    files = [("a/x.v1.png", pictures[0]), ("a/x.v2.png", pictures[1]), ("a/x.cls", b"0"), ("b/x.PNG", pictures[2]),
             ("b/x.CLS", b"1"), ("c/alone.png", pictures[3]), ("c/none.cls", b"1"), ("._a", b"x")]  # fmt: skip
    seen = Seen(packed(tmp_path / "a.tar", files))
    assert seen.content == [pictures[0], pictures[2], pictures[3]]
    assert seen.labels == ["0", "1", None]
    assert "a/x.v2.png): its sample has another picture" in seen.told
    assert "c/none.cls): its sample has no picture" in seen.told


def test_a_broken_label_costs_its_sample(tmp_path, pictures):
    files = samples(pictures, "json")
    files[3] = (files[3][0], b"{broken")
    seen = Seen(packed(tmp_path / "a.tar", files))
    assert seen.content == [pictures[0], *pictures[2:]]
    assert "000001.png): its label cannot be read" in seen.told


def test_captions_beside_pictures_in_folders_of_classes_are_no_labels(tmp_path, pictures):
    files = [(f"{LABELS[i]}/{i}.png", one) for i, one in enumerate(pictures)]
    seen = Seen(packed(tmp_path / "a.tar", [*files, *((f"{LABELS[i]}/{i}.txt", b"a thing") for i in range(N))]))
    assert seen.classes == ("block", "ring")
    assert len(seen.records) == 2 * N, "the texts are no pictures, which their reader says"
