"""Data sets as Hugging Face's `datasets` saves, caches and publishes them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.data import importing
from tests.ml.data.importing.seen import LABELS, N, Seen

FEATURES = {"image": {"_type": "Image"}, "label": {"names": ["ring", "block"], "_type": "ClassLabel"}}


def table(pictures, labels=LABELS, told=True, **more):
    """As `datasets` keeps pictures: structures of bytes and path, labels by id, and what they are in the head."""
    images = [{"bytes": one, "path": f"{i}.png"} for i, one in enumerate(pictures)]
    images = pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    ids = pa.array([("ring", "block").index(one) if one else -1 for one in labels], pa.int64())
    made = pa.table({"image": images, "label": ids, **more})
    head = {b"huggingface": json.dumps({"info": {"features": FEATURES}}).encode()}
    return made.replace_schema_metadata(head) if told else made


def save(folder, made, info=True, batch=5):
    """As save_to_disk writes a split, with what a map kept beside it."""
    folder.mkdir(parents=True)
    for name in ("data-00000-of-00001.arrow", "cache-0123456789abcdef.arrow"):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, made.schema) as writer:
            writer.write_table(made, max_chunksize=batch)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "0", "_split": folder.name}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES if info else {}}))


@pytest.mark.parametrize("told", [True, False])
def test_a_saved_folder_of_splits(tmp_path, pictures, told):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    save(tmp_path / "train", table(pictures[:16], LABELS[:16], told))
    save(tmp_path / "test", table(pictures[16:], LABELS[16:], told))
    seen = Seen(tmp_path)
    assert seen.classes == ("ring", "block"), "in the order of their ids"
    assert (seen.labels, seen.content) == ([*LABELS[16:], *LABELS[:16]], [*pictures[16:], *pictures[:16]])
    assert seen.splits == ["test"] * 8 + ["train"] * 16
    assert "pictures stand in the column 'image' (structures with a file), labels in 'label'" in seen.told


def test_a_saved_split_alone(tmp_path, pictures):
    save(tmp_path / "kept", table(pictures))
    seen = Seen(tmp_path / "kept")
    assert (seen.labels, seen.content, set(seen.splits)) == (LABELS, pictures, {""})


def test_a_choice_of_rows_is_refused_in_words(tmp_path, pictures):
    save(tmp_path / "kept", table(pictures))
    state = json.loads((tmp_path / "kept" / "state.json").read_text())
    state["_indices_data_files"] = [{"filename": "indices.arrow"}]
    (tmp_path / "kept" / "state.json").write_text(json.dumps(state))
    with pytest.raises(ValueError, match="flatten_indices"):
        Seen(tmp_path / "kept")


def test_parquet_shards(tmp_path, pictures):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("---\n---\n")
    for i, name in enumerate(("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001")):
        rows = slice(8 * i, 8 * i + 8)
        pq.write_table(table(pictures[rows], LABELS[rows]), tmp_path / "data" / f"{name}.parquet", row_group_size=3)
    seen = Seen(tmp_path)
    assert (seen.classes, seen.labels, seen.content) == (("ring", "block"), LABELS, pictures)
    assert seen.splits == ["train"] * 16 + ["validation"] * 8


def test_rows_without_a_picture_or_a_label_and_ids_without_a_name(tmp_path, pictures):
    labels = [*LABELS[:23], ""]
    made = table([*pictures[:22], None, pictures[23]], labels)
    pq.write_table(made, tmp_path / "train.parquet")
    seen = Seen(tmp_path / "train.parquet")
    assert seen.labels == [*LABELS[:23], None]
    assert "no such file" in seen.content[22]
    assert seen.content[:22] == pictures[:22]
    ids = pa.array([0, 1] * 11 + [7, 1])
    pq.write_table(made.set_column(1, "label", ids), tmp_path / "train.parquet")
    seen = Seen(tmp_path / "train.parquet")
    assert len(seen.records) == 23
    assert "its label, '7', is none of the classes" in seen.told


def test_a_file_that_breaks_off_gives_what_comes_before(tmp_path, pictures):
    save(tmp_path / "kept", table(pictures))
    file = tmp_path / "kept" / "data-00000-of-00001.arrow"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    seen = Seen(tmp_path / "kept")
    assert seen.content == pictures[: len(seen.content)]
    assert 5 <= len(seen.content) < N
    assert "damaged" in seen.told


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_folder_of_pictures_with_metadata(tmp_path, pictures, form):
    for split, rows in (("train", range(16)), ("test", range(16, N))):
        (tmp_path / split).mkdir()
        for i in rows:
            (tmp_path / split / f"{i}.png").write_bytes(pictures[i])
        if form == "csv":
            lines = ["file_name,label,text", *(f'{i}.png,{LABELS[i]},"a, b"' for i in rows)]
        else:
            lines = [json.dumps({"file_name": f"{i}.png", "label": LABELS[i]}) for i in rows]
        (tmp_path / split / f"metadata.{form}").write_text("\n".join(lines))
    seen = Seen(tmp_path)
    assert seen.classes == ("block", "ring")
    assert (seen.labels, seen.content) == ([*LABELS[16:], *LABELS[:16]], [*pictures[16:], *pictures[:16]])
    assert seen.splits == ["test"] * 8 + ["train"] * 16


def test_pictures_are_read_late_and_in_any_order(tmp_path, pictures):
    pq.write_table(table(pictures), tmp_path / "a.parquet", row_group_size=7)
    with importing.opened(tmp_path / "a.parquet") as found:
        for i in (23, 0, 6, 7, 20, 1):
            assert found.records[i].content() == pictures[i]


@pytest.mark.parametrize("form", [pa.struct([("bytes", pa.binary()), ("path", pa.string())]), pa.binary()])
def test_lists_of_pictures_say_what_to_do(tmp_path, pictures, form):
    """List(Image()) of `datasets`, as of data sets for vision and language."""
    own = [{"bytes": one, "path": None} if pa.types.is_struct(form) else one for one in pictures]
    lists = [own[i : i + 1 + i % 3] for i in range(N)]
    made = pa.table({"images": pa.array(lists, pa.list_(form)), "label": [f"{one}" for one in LABELS]})
    pq.write_table(made, tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(ValueError, match=r"its column 'images' holds lists of pictures.*explode\('images'\)"):
        Seen(tmp_path)
