"""Sources that other readers of data sets take apart in ways that surprise: what is understood of them here."""

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.images.decoding import decode
from tests.ml.data.importing.seen import Seen, drawn, png

PICTURES = drawn(12)


def put(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(PICTURES[i % 12]))
    return folder


def test_folders_of_unequal_depth_keep_their_labels(tmp_path):
    """Hugging Face's imagefolder loses the label of all of them without a word."""
    found = Seen(put(tmp_path, *(f"cats/{i}.png" for i in range(4)), *(f"pets/dogs/{i}.png" for i in range(4))))
    assert (list(found.classes), found.labels) == (["cats", "pets"], 4 * ["cats"] + 4 * ["pets"])
    with pytest.raises(ValueError, match="needs at least two folders of pictures, one per class; it has 1"):
        Seen(put(tmp_path / "one", "cats/0.png", "cats/1.png"))


def test_a_folder_is_a_class_unless_the_system_hides_it(tmp_path):
    """imagefolder drops `__background__` too, and torchvision keeps `.hidden`; what is left out is said."""
    names = [f"{name}/{i}.png" for name in (".hidden", "__background__", "cats") for i in range(3)]
    found = Seen(put(tmp_path, *names))
    assert list(found.classes) == ["__background__", "cats"]
    assert found.found.left_out.by_systems == [".hidden/0.png", ".hidden/1.png", ".hidden/2.png"]


def test_a_picture_that_a_table_does_not_name_is_listed(tmp_path):
    """imagefolder drops it without a word."""
    put(tmp_path, *(f"train/{i}.png" for i in range(6)))
    rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(4)]
    (tmp_path / "train" / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    found = Seen(tmp_path)
    assert len(found.labels) == 4
    assert found.found.left_out.files == [(f"train/{i}.png", "no row of a table names it") for i in (4, 5)]


@pytest.mark.parametrize("where", ["", "train/"])
def test_datumaros_folder_of_pictures_without_a_tag_is_no_class(where, tmp_path):
    names = [f"{where}{name}/{i}.png" for name in ("cats", "dogs", "no_label") for i in range(3)]
    if where:
        names += [f"val/{name}/{i}.png" for name in ("cats", "dogs") for i in range(2)]
    found = Seen(put(tmp_path, *names))
    assert list(found.classes) == ["cats", "dogs"]
    assert found.labels.count(None) == 3
    assert [one.split for one in found.records if one.label is None] == 3 * ["unlabelled"]


def test_deep_levels_are_scaled_and_do_not_wrap(tmp_path):
    """A uint16 array of colours wraps in `datasets`: 300 becomes 44."""
    levels = (np.arange(12)[:, None, None, None] * np.ones((12, 9, 8, 3)) * 5_000 + 300).astype(np.uint16)
    np.savez(tmp_path / "deep.npz", images=levels, labels=np.arange(12) % 3)
    found = Seen(tmp_path / "deep.npz")
    assert [int(one[0, 0, 0]) for one in found.pixels] == [round((5_000 * i + 300) / 257) for i in range(12)]


def test_a_tar_sorted_by_suffix_keeps_its_labels(tmp_path):
    """WebDataset's own reader gives twice the rows and no labels."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for suffix in ("png", "cls"):
            for i in range(6):
                content = png(PICTURES[i]) if suffix == "png" else str(i % 2).encode()
                info = tarfile.TarInfo(f"{i:04}.{suffix}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    assert Seen(tmp_path / "a.tar").labels == ["0", "1"] * 3


def table(tmp_path: Path, head: str, rows: list[str]) -> Seen:
    put(tmp_path, *(f"{i:05}.png" for i in range(6)))
    (tmp_path / "labels.csv").write_text("\n".join([head, *rows]))
    return Seen(tmp_path)


def test_leading_zeros_stay_and_any_head_is_a_head(tmp_path):
    """pandas, polars and pyarrow read 00012 as 12; DuckDB takes `yes,no` for data."""
    found = table(tmp_path, "id,label", [f"{i:05},{'xy'[i % 2]}" for i in range(6)])
    assert found.labels == ["x", "y"] * 3
    found = table(tmp_path, "id,label", [f"{i:05},{('0001', '0010')[i % 2]}" for i in range(6)])
    assert list(found.classes) == ["0001", "0010"]
    found = table(tmp_path, "yes,no", [f"{i:05}.png,{'xy'[i % 2]}" for i in range(6)])
    assert (len(found.labels), list(found.classes)) == (6, ["x", "y"])


def test_numbers_of_classes_are_in_the_order_of_numbers(tmp_path):
    """`class_encode_column` sorts 0 to 11 by their text."""
    put(tmp_path, *(f"{i:05}.png" for i in range(12)))
    rows = [f"{i:05}.png,{i}" for i in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows]))
    assert list(Seen(tmp_path).classes) == [str(i) for i in range(12)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_that_is_not_square_is_read_in_every_orientation(orientation):
    """OpenCV's imread gives None of those with 5 to 8."""
    picture = np.arange(9 * 5 * 3, dtype=np.uint8).reshape(5, 9, 3)
    made = io.BytesIO()
    Image.fromarray(picture).save(made, "TIFF", tiffinfo={274: orientation})
    found = decode(made.getvalue())
    assert found.orientation == 1  # it was applied
    turned = found.pixels
    assert turned.shape == ((5, 9, 3) if orientation < 5 else (9, 5, 3))
    corner = {1: turned[0, 0], 2: turned[0, -1], 3: turned[-1, -1], 4: turned[-1, 0], 5: turned[0, 0],
              6: turned[0, -1], 7: turned[-1, -1], 8: turned[-1, 0]}[orientation]  # fmt: skip
    assert (corner == picture[0, 0]).all()


def tiff(levels: np.ndarray, photometric: int) -> bytes:
    """uint16 [h, w] as a TIFF, every field by hand. photometric: 0 where white is zero, 1 where black is."""
    height, width = levels.shape
    data = levels.astype("<u2").tobytes()
    fields = [(256, width), (257, height), (258, 16), (259, 1), (262, photometric), (273, 8), (277, 1), (278, height)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*fields, (279, len(data))])
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", 9) + entries + bytes(4)


def test_a_tiff_in_which_white_is_zero_is_no_negative():
    """Of 16 bits OpenCV gives the picture with one flag, and its negative with another."""
    levels = np.linspace(0, 65_535, 40).reshape(5, 8).astype(np.uint16)
    plain, turned = (decode(tiff(values, kind)).pixels[..., 0] for values, kind in ((levels, 1), (65_535 - levels, 0)))
    assert (plain == turned).all()
    assert plain[0, 0] == 0
    assert plain[-1, -1] == 255


def test_an_order_of_other_classes_is_said_not_to_be_followed(tmp_path):
    place = put(tmp_path, *(f"{name}/{i}.png" for name in ("cat", "dog") for i in range(3)))
    seen = Seen(place, order=("dog", "cow"))
    assert seen.classes == ("cat", "dog")
    words = "the order of classes that was chosen is not followed: it names 'cow', which is no class; it lacks 'cat'"
    assert words in seen.found.notes
    assert not Seen(place, order=("dog", "cat")).found.notes


def test_pictures_that_nothing_is_said_of(tmp_path):
    with pytest.raises(ValueError, match="Nothing says what its 4 pictures show: put them into folders"):
        Seen(put(tmp_path, *(f"IMG_{i}.png" for i in range(4))))
