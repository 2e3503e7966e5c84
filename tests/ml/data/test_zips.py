"""Zips of labelled pictures, as systems pack them: names in any code page, what is read, what is refused."""

import io
import json
import struct
import unicodedata
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from ml import __main__ as cli
from ml import data
from ml.images import zip_names
from ml.images.upload_archives import items

CHANCE = np.random.default_rng(0)


def picture():
    file = io.BytesIO()
    Image.fromarray(CHANCE.integers(0, 256, (28, 28), np.uint8)).save(file, "PNG")
    return file.getvalue()


class Old(zipfile.ZipInfo):
    """A name in a code page, as tools wrote that knew no other."""

    page = "cp866"

    def _encodeFilenameFlags(self):
        return self.filename.encode(self.page, "replace"), self.flag_bits & ~0x800


class WithPath(Old):
    """The same with the name once more as Info-ZIP writes it. of: whose checksum stands there."""

    def __init__(self, name, of=None):
        super().__init__(name)
        raw = (of or name).encode(self.page, "replace")
        field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + name.encode()
        self.extra = struct.pack("<HH", 0x7075, len(field)) + field


def packed(where, names, info=zipfile.ZipInfo, n=12, more=()):
    """A zip of n pictures in each folder."""
    with zipfile.ZipFile(where, "w") as archive:
        for name in names:
            for i in range(n):
                archive.writestr(info(f"{name}/{i:02}.png"), picture())
        for name, content in more:
            archive.writestr(name, content)
    return where


def in_page(page):
    return type("Paged", (Old,), {"page": page})


@pytest.fixture
def take(tmp_path, monkeypatch, capsys):
    """take(zip, *options): the exit status, the last line as JSON where there is one, and what was said."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))

    def run(place, *options):
        status = cli.main(["data", "import", str(place), "--json", *options])
        told = capsys.readouterr()
        return status, json.loads(told.out.splitlines()[-1]) if status == 0 else {}, told.err

    return run


def test_a_zip_is_imported_like_the_folder_it_was_made_from(tmp_path, take):
    archive = packed(tmp_path / "Pets 2.zip", ("data/ring", "data/block"),
                     more=[("data/", b""), ("data/ring/", b""), ("__MACOSX/data/ring/._00.png", b"x"),
                           ("data/ring/notes.txt", b"x"), ("data/.DS_Store", b"x")])  # fmt: skip
    status, made, told = take(archive)
    assert (status, made["name"], made["classes"]) == (0, "pets-2", ["block", "ring"])
    assert made["splits"] == {"train": 20, "validation": 2, "test": 2}
    assert list(made["left_out"].values()) == [1]
    assert "passed over 2 files" in told
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "unpacked")
    status, folder, _ = take(tmp_path / "unpacked", "--name", "folder")
    assert (status, folder["digest"]) == (0, made["digest"]), "the same pictures in the same order"
    kept = data.load("pets-2").files()
    assert all(Image.open(io.BytesIO(content)).size == (28, 28) for content in kept.values())


def test_a_zip_as_windows_packs_it(tmp_path, take):
    class Backwards(zipfile.ZipInfo):
        def __init__(self, name):
            super().__init__(name)
            self.filename = name.replace("/", "\\")

    status, made, _ = take(
        packed(tmp_path / "a.zip", ("train/ring", "train/block", "test/ring", "test/block"), Backwards)
    )
    assert (status, made["classes"], made["splits"]["test"]) == (0, ["block", "ring"], 24)


def test_an_empty_folder_of_a_zip_is_a_class_without_pictures(tmp_path, take):
    status, made, told = take(packed(tmp_path / "a.zip", ("ring", "block"), more=[("star/", b"")]))
    assert (status, made["classes"]) == (0, ["block", "ring"])
    assert "class 'star' has no readable picture" in told


def test_what_leads_out_is_left_out_and_said(tmp_path, take):
    status, made, told = take(packed(tmp_path / "a.zip", ("ring", "block"), more=[("ring/../../x.png", picture())]))
    assert (status, sum(made["splits"].values())) == (0, 24)
    assert "leads out of the archive" in told


@pytest.mark.parametrize("content", [b"PK\3\4" + bytes(50), b"Rar!" + bytes(50)])
def test_what_is_no_zip_is_told_so(tmp_path, take, content):
    (tmp_path / "a.zip").write_bytes(content)
    status, _, told = take(tmp_path / "a.zip")
    assert status == 1
    assert "zip" in told


WORDS = {
    "cp437": ("Café", "Jupe à plis", "Müller"),
    "cp850": ("São Paulo", "Jupe à plis"),
    "cp866": ("кепка", "Юбка", "Пальто"),
    "cp1251": ("кепка", "Юбка", "Пальто"),
    "gbk": ("裙子", "帽子", "外套"),
    "big5": ("裙子", "帽子", "外套"),
    "cp932": ("スカート", "帽子", "ソックス"),  # of which a second byte is that of a backslash
    "cp949": ("치마", "모자"),
    "cp852": ("Čapka", "Sukně", "žlutý"),
    "cp737": ("καπέλο", "φούστα"),
}


@pytest.mark.parametrize("page", WORDS)
def test_names_in_an_old_code_page_are_read_as_they_were_and_the_guess_is_said(tmp_path, take, page):
    status, made, told = take(packed(tmp_path / "a.zip", WORDS[page], in_page(page)))
    assert status == 0
    assert sorted(made["classes"]) == sorted(WORDS[page])
    assert f"read as {page}" in told
    assert "--zip-names" in told


def test_a_code_page_can_be_said_and_then_nothing_is_guessed(tmp_path, take):
    archive = packed(tmp_path / "a.zip", ("şapka", "Gömleği"), in_page("cp857"))
    status, made, told = take(archive, "--zip-names", "857")
    assert (status, sorted(made["classes"]), told) == (0, ["Gömleği", "şapka"], "")
    status, _, told = take(archive, "--zip-names", "klingon", "--name", "other")
    assert status == 1
    assert "no code page" in told


def test_the_name_that_info_zip_writes_beside_one_goes_first(tmp_path, take):
    status, made, told = take(packed(tmp_path / "a.zip", ("şapka", "кепка"), WithPath))
    assert (status, sorted(made["classes"]), told) == (0, ["şapka", "кепка"], "")
    stale = WithPath("кепка/1.png", of="other/1.png")
    stale.filename = stale.filename.encode("cp866").decode("cp437")
    assert zip_names.plain(stale) == stale.filename, "it is of a name that was changed since"


@pytest.mark.parametrize("page", ["cp1254", "cp857", "cp874", "cp1255", "cp1250"])
def test_where_classes_are_known_the_code_page_is_the_one_that_has_them(page):
    classes = {"cp1254": "şapka", "cp857": "şapka", "cp874": "หมวก", "cp1255": "כובע", "cp1250": "Sukně"}
    name = classes[page]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(in_page(page)(f"{name}/1.png"), b"x")
    file.seek(0)
    told = []
    found = list(items([("a.zip", file)], known=[unicodedata.normalize("NFD", name), "x"], tell=told.append))
    assert [unicodedata.normalize("NFC", one.name) for one in found] == [f"{name}/1.png"]
    assert len(told) == 1


def test_two_files_of_one_name_are_both_read(tmp_path, take):
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = packed(tmp_path / "a.zip", ("ring", "block"), more=[("ring/00.png", picture())])
    status, made, _ = take(archive)
    assert (status, sum(made["splits"].values())) == (0, 25)
