"""Many files, zips among them: what is read, what is refused in words, and that nothing is believed."""

import io
import struct
import unicodedata
import zipfile
import zlib

import numpy as np
import pytest

from ml.data.importing import names as class_names
from ml.images import file_names, upload_archives
from ml.images.file_names import NAME_LETTERS, by_the_way, clean, truth
from ml.images.form import Form
from ml.images.upload_archives import Item, Limits, items
from ml.inference.batch import answers

CLASSES = ["T-shirt/top", "Ankle boot", "Bag"]


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return parcel.getvalue()


def read(*sources: tuple[str, bytes], **limits: int) -> list[Item]:
    return list(items([(name, io.BytesIO(content)) for name, content in sources], Limits(**limits)))


def test_files_come_in_their_order_those_of_zips_included():
    found = read(("a.png", b"one"), ("b.zip", packed({"x/c.png": b"two", "d.png": b"three"})), ("e.png", b"four"))
    assert [(one.name, one.content, one.problem) for one in found] == [
        ("a.png", b"one", ""),
        ("x/c.png", b"two", ""),
        ("d.png", b"three", ""),
        ("e.png", b"four", ""),
    ]


def test_what_systems_leave_in_folders_is_passed_over():
    left = {"__MACOSX/x/._a.png": b"?", ".DS_Store": b"?", "x/Thumbs.db": b"?", "x/": b"", "x/a.png": b"one"}
    assert [one.name for one in read(("b.zip", packed(left)))] == ["x/a.png"]
    assert [one.problem for one in read(("b.zip", packed({".DS_Store": b"?"})))] == [
        "There is no file in this archive."
    ]


def test_an_archive_within_an_archive_is_named_and_not_opened():
    inner = packed({"a.png": b"one"})
    found = read(("b.zip", packed({"inner.zip": inner, "a.png": b"two"})))
    assert found[0].problem == upload_archives.NESTED
    assert found[1].content == b"two"


def test_a_bomb_is_stopped_while_it_unpacks():
    """A megabyte of zeros is a kilobyte of zip: what counts is what came out."""
    bomb = packed({f"{i}.png": bytes(1_000_000) for i in range(20)})
    assert len(bomb) < 50_000
    found = read(("b.zip", bomb), unpacked=3_500_000)
    assert [bool(one.problem) for one in found] == [False, False, False, True]
    assert "unpacked at once" in found[-1].problem


def test_the_size_that_a_zip_tells_is_not_believed():
    bomb = bytearray(packed({"a.png": bytes(1_000_000), "b.png": b"two"}))
    where = bomb.index(b"PK\x01\x02")  # the list tells 5 bytes, the data hold a million
    bomb[where + 24 : where + 28] = struct.pack("<I", 5)
    found = read(("b.zip", bytes(bomb)), each=1_000)
    assert found[0].problem
    assert found[1].content == b"two"


def test_a_file_that_is_too_large_is_named_and_the_rest_goes_on():
    found = read(("b.zip", packed({"a.png": bytes(3_000_000), "b.png": b"two"})), each=1_000_000)
    assert "more than 1 MB" in found[0].problem
    assert found[1].content == b"two"


def test_more_files_than_agreed_end_with_a_sentence():
    many = packed({f"{i}.png": b"x" for i in range(6)})
    found = read(("b.zip", many), files=4)
    assert [bool(one.problem) for one in found] == [False] * 4 + [True]
    assert "At most 4 files" in found[-1].problem
    found = read(*((f"{i}.png", b"x") for i in range(6)), files=4)
    assert len(found) == 5
    assert "At most 4 files" in found[-1].problem


def test_a_list_of_a_million_files_is_not_read():
    long = packed({f"{'n' * 300}{i}.png": b"" for i in range(30)}, zipfile.ZIP_STORED)
    assert "more than 4 files" in read(("b.zip", long), files=4)[0].problem


@pytest.mark.parametrize("damage", ["cut", "end", "zip64", "empty"])
def test_what_is_no_whole_zip_is_refused_in_words(damage):
    whole = packed({"a.png": b"one"})
    at = whole.rindex(b"PK\x05\x06")
    parcel = {
        "cut": whole[: len(whole) // 2],
        "end": whole[:at] + b"PK\x05\x06" + b"\xff" * 18,
        "zip64": whole[:at] + b"PK\x06\x07" + bytes(16) + whole[at:],
        "empty": b"PK\x03\x04",
    }[damage]
    assert [one.problem for one in read(("b.zip", parcel))] == [upload_archives.NOT_WHOLE]


def test_damaged_and_encrypted_files_are_named_one_by_one():
    whole = bytearray(packed({"a.png": b"one" * 50, "b.png": b"two"}, zipfile.ZIP_STORED))
    whole[whole.index(b"oneone")] ^= 255  # the checksum fails
    assert [one.problem for one in read(("b.zip", bytes(whole)))] == ["This file is damaged in the archive.", ""]
    locked = bytearray(packed({"a.png": b"one"}))
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        locked[locked.index(mark) + place] |= 1
    assert read(("b.zip", bytes(locked)))[0].problem == "This file is encrypted."
    assert "compressed in a way" in read(("b.zip", packed({"a.png": b"one"}, zipfile.ZIP_LZMA)))[0].problem


def test_a_link_is_not_followed():
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        info = zipfile.ZipInfo("a.png")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "link" in read(("b.zip", parcel.getvalue()))[0].problem


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("..\\..\\etc\\a.png", "../../etc/a.png"),  # text, never a path
        ("a\n\u202eb.png", "a  b.png"),
        ("/" + "n" * 300 + ".png", None),
        ("\ud800.png", "?.png"),
    ],
)
def test_names_are_one_line_of_text(name, shown):
    found = clean(name)
    assert found == shown or (shown is None and len(found) == NAME_LETTERS and found.endswith("n.png"))
    found.encode()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("t-shirt_top/1.png", 0),
        ("photos/T-Shirt Top/1.png", 0),
        ("photos/T-shirt/top/1.png", 0),
        ("ANKLE BOOT/1.png", 1),
        ("bag/1.png", 2),
        ("bags/1.png", None),
        ("bag.png", None),
        ("bag/more/1.png", None),
        ("!!/1.png", None),
    ],
)
def test_a_folder_named_after_a_class_is_the_truth(name, label):
    assert truth(name, CLASSES) == label


SIGNS = ["C", "C++", "C#", "A+", "A-", "A", "+", "-", "1", "-1", "1.5", "15", "2024-01", "202401"]


@pytest.mark.parametrize("name", SIGNS)
def test_names_that_differ_in_signs_alone_are_told_apart(name):
    assert truth(f"photos/{name}/1.png", SIGNS) == SIGNS.index(name)


@pytest.mark.parametrize(
    ("folder", "classes"), [("C+", ["C", "C++"]), ("A-", ["A+", "A"]), ("-1", ["1"]), ("1.5", ["15"])]
)
def test_another_sign_is_another_name(folder, classes):
    assert truth(f"{folder}/1.png", classes) is None


@pytest.mark.parametrize("folder_form", ["NFC", "NFD"])
@pytest.mark.parametrize("class_form", ["NFC", "NFD"])
def test_accents_are_the_same_in_either_form(folder_form, class_form):
    spelled = [unicodedata.normalize(class_form, name) for name in ("Café", "Jupe à plis", "Thé")]
    assert truth(unicodedata.normalize(folder_form, "Jupe à plis/1.png"), spelled) == 1
    assert truth(unicodedata.normalize(folder_form, "CAFÉ/1.png"), spelled) == 0


@pytest.mark.parametrize(
    "folder", ["fire\u200dfighter", "soft\u00adhyphen", "\u202eright", "tab\tname", "bell\x07", "\u200cمی", "x" * 90]
)
def test_a_folder_whose_class_an_import_had_to_rename_is_still_its_truth(folder):
    renamed, _ = class_names.shown([folder, "other"])
    assert renamed[folder] != folder
    assert truth(f"photos/{folder}/1.png", ["other", renamed[folder]]) == 1


@pytest.mark.parametrize("folder", ["👩\u200d🚒", "می\u200cخواهم", "क\u094d\u200dष"])
def test_what_joins_letters_stays_in_the_name_of_a_class(folder):
    renamed, notes = class_names.shown([folder, "other"])
    assert (renamed[folder], notes) == (folder, [])
    before = folder.replace("\u200c", "").replace("\u200d", "")  # as imports called it that let no joiner stay
    assert [truth(f"photos/{folder}/1.png", ["other", name]) for name in (folder, before)] == [1, 1]


def test_dots_and_spaces_at_the_end_are_taken_away_by_windows():
    assert truth("Homo sp/1.png", ["Homo sp.", "Pan"]) == 0
    assert truth("etc/1.png", ["etc.", "etc"]) == 1
    assert truth("etc./1.png", ["etc.", "etc"]) == 0
    assert truth("etc../1.png", ["etc.", "etc"]) is None


def test_the_name_as_written_goes_before_one_that_is_like_it():
    assert truth("apple/1.png", ["Apple", "apple", "APPLE"]) == 1
    assert truth("aPPLE/1.png", ["Apple", "apple"]) is None


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("__MACOSX/ring/._1.png", True),
        ("data/__MACOSX/x/a.png", True),
        ("data/@eaDir/ring/SYNOPHOTO_THUMB_M.png", True),
        ("ring\\Thumbs.db", True),
        ("ring/.DS_Store", True),
        (".git/objects/a.png", True),
        ("../ring/a.png", False),
        ("./a.png", False),
        ("ring/macosx.png", False),
        ("ring/~$a.png", True),
        ("ring/a~.png", False),
        ("ring/a.png:Zone.Identifier", True),
        (".Trashes/501/a.png", True),
        ("ring/.ipynb_checkpoints/a-checkpoint.png", True),
        ("#recycle/a.png", True),
        ("ring/ehthumbs_vista.db", True),
        ("$RECYCLE.BIN/S-1/a.png", True),
    ],
)
def test_what_systems_leave_is_known_anywhere(name, left):
    assert by_the_way(name) is left


def test_a_name_in_utf8_without_its_flag_is_read_as_such():
    class Unflagged(zipfile.ZipInfo):
        def _encodeFilenameFlags(self):
            return self.filename.encode(), self.flag_bits & ~0x800

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(Unflagged("Čapka/1.png"), b"x")
    packed.seek(0)
    assert [item.name for item in items([("a.zip", packed)])] == ["Čapka/1.png"]


def test_pictures_are_asked_about_in_small_batches_and_in_order():
    def png(level: int) -> bytes:
        rows = b"".join(b"\0" + bytes([level]) * 4 for _ in range(4))

        def chunk(name: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

    asked = []

    def ask(images: np.ndarray) -> np.ndarray:
        asked.append(len(images))
        level = images[:, 0, 0, 0].astype(np.float32) / 255
        return np.stack([level, 1 - level], axis=1)

    given = [Item(f"bag/{i}.png", png(40 * i)) for i in range(5)]
    given[2:2] = [Item("b.png", b"no picture"), Item("c.png", problem="It is encrypted.")]
    said = list(answers(given, Form(4, 4, 1, 0), ["Light", "Bag"], ask, at_once=2))
    assert asked == [2, 2, 1]
    assert [one.name for one in said] == [one.name for one in given]
    lines = [one.line(["Light", "Bag"], 1) for one in said]
    assert lines[2].keys() == {"file", "error"}
    assert "not a picture" in lines[2]["error"]
    assert lines[3]["error"] == "It is encrypted."
    assert lines[0] == {
        "file": "bag/0.png",
        "true": "Bag",
        "label": "Bag",
        "confidence": 1.0,
        "top": [{"label": "Bag", "probability": 1.0}],
    }
    assert lines[6]["label"] == "Light"
    assert lines[6]["confidence"] == pytest.approx(160 / 255)


def test_folders_of_many_files_are_looked_at_once():
    file_names._of_a_system.cache_clear()
    assert not any(by_the_way(f"set/cat/{i}.png") for i in range(100))
    assert all(by_the_way(f"set/.git/objects/{i}") for i in range(100))
    assert file_names._of_a_system.cache_info().misses == 2
