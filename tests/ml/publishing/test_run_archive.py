"""A run as a zip: the same bytes every time, back as the same run, and everything else refused in words."""

import hashlib
import io
import json
import pickle
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save

from ml.artifacts.reader import Library
from ml.inference.classifier import Classifier
from ml.publishing import model_card, run_archive
from ml.publishing.run_archive import CARD, MANIFEST, WEIGHTS, Unfit


@pytest.fixture
def library(home, tmp_path):
    return Library(tmp_path / "nothing", home)


@pytest.fixture(scope="module")
def packed(toy_home, tmp_path_factory):
    run = Library(tmp_path_factory.mktemp("nothing"), toy_home).open("toy")
    return run_archive.pack(run, model_card.markdown(run))


def contents(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as parcel:
        return {name: parcel.read(name) for name in parcel.namelist()}


def zipped(files, compression=zipfile.ZIP_DEFLATED) -> bytes:
    """files: name or ZipInfo → bytes, or pairs of them."""
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w", compression) as target:
        for name, content in files.items() if isinstance(files, dict) else files:
            target.writestr(name, content)
    return parcel.getvalue()


def take(library, parcel: bytes, **options):
    return run_archive.unpack(io.BytesIO(parcel), library, **options)


def refused(library, parcel: bytes, **options) -> Unfit:
    """Why it is refused; nothing is left of it."""
    before = sorted(path.name for path in (library.home / "runs").iterdir())
    with pytest.raises(Unfit) as unfit:
        take(library, parcel, **{"name": "new", **options})
    assert sorted(path.name for path in (library.home / "runs").iterdir()) == before
    assert str(library.home) not in str(unfit.value)
    return unfit.value


def changed(packed: bytes, change) -> bytes:
    """The archive with its manifest changed in place."""
    files = contents(packed)
    manifest = json.loads(files[MANIFEST])
    change(manifest)
    return zipped({**files, MANIFEST: json.dumps(manifest).encode()})


def replaced(packed: bytes, name: str, content: bytes, noun: str | None = None) -> bytes:
    """The archive with one file replaced and the manifest's checksum made to fit: an attacker can do that too."""
    files = contents(packed)
    manifest = json.loads(files[MANIFEST])
    entry = manifest["weights"] if noun is None else manifest["nouns"][noun]
    entry["sha256"] = hashlib.sha256(content).hexdigest()
    return zipped({**files, name: content, MANIFEST: json.dumps(manifest).encode()})


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


# ---- there and back


def test_a_run_comes_back_as_it_was(library, packed):
    taken = take(library, packed, name="again")
    assert (taken.run_id, taken.was, taken.needs) == ("again", "toy", "")
    run, first = library.open("again"), library.open("toy")
    assert run.manifest["imported"]["run_id"] == "toy"
    assert run.manifest["results"] == first.manifest["results"]
    assert run.table("predictions").equals(first.table("predictions"))
    picture = library.pictures("synthetic-4-28x28x1", "test").images[:5]
    there = Classifier.open(first).probabilities(picture)
    assert np.array_equal(Classifier.open(run).probabilities(picture), there)
    assert not (taken.folder / CARD).exists()  # it is made from the run whenever it is asked for


def test_equal_runs_are_equal_bytes(library, packed):
    run = library.open("toy")
    assert run_archive.pack(run, model_card.markdown(run)) == packed


def test_the_card_and_optional_tables_may_be_missing(library, packed):
    files = contents(packed)
    del files[CARD]
    manifest = json.loads(files[MANIFEST])
    for noun in ("projection", "features"):
        del files[f"{noun}.{'parquet' if noun == 'projection' else 'npz'}"]
        del manifest["nouns"][noun]
    files[MANIFEST] = json.dumps(manifest).encode()
    assert take(library, zipped(files), name="less").run_id == "less"


def test_a_name_that_is_taken_asks_for_another(library, packed):
    assert refused(library, packed, name=None).taken == "toy"
    assert refused(library, packed, name="gone", taken={"gone"}).taken == "gone"
    assert take(library, packed, name="toy-2").run_id == "toy-2"


@pytest.mark.parametrize("name", ["../up", "A", "a/b", "x" * 65, ".."])
def test_a_name_that_is_none_is_refused(library, packed, name):
    assert "1 to 64 small letters" in str(refused(library, packed, name=name))


def test_a_run_whose_pictures_are_elsewhere_says_which(library, packed):
    def rename(manifest):
        manifest["dataset"]["name"] = "pets"

    assert take(library, changed(packed, rename), name="pets-1").needs == "pets"


# ---- what is refused before anything is unpacked


class Bomb:
    """Whatever unpickles this makes a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return (open, (str(self.canary), "w"))


def test_a_bit_that_is_another_is_told_in_words(library, packed):
    """zlib may notice before the sums do."""
    chance, refused_ones, whole = np.random.default_rng(0), 0, zipped(contents(packed))
    heads = 8 * min(len(whole), 20_000)  # of the small files, which are read first
    for number, place in enumerate(chance.integers(0, heads, 120)):
        spoiled = bytearray(whole)
        spoiled[place // 8] ^= 1 << place % 8
        try:
            take(library, bytes(spoiled), name=f"spoiled-{number}")
        except Unfit:
            refused_ones += 1
    assert refused_ones > 90, "the rest is what nobody looks at: dates, systems"


def test_pickles_are_called_unsafe_and_never_opened(library, packed, tmp_path):
    canary = tmp_path / "canary"
    load_me = pickle.dumps(Bomb(canary))
    files = contents(packed)
    objects = io.BytesIO()
    np.savez(objects, **{"body.0": np.array([Bomb(canary)], dtype=object)})
    for parcel in (
        load_me,
        zipped({**files, "weights.pt": load_me}),
        zipped({**files, "model.pkl": load_me}),
        zipped({"archive/data.pkl": load_me, "archive/version": b"3"}),  # what torch.save makes
        replaced(packed, "filters.npz", objects.getvalue(), "filters"),
    ):
        assert "Unsafe format" in str(refused(library, parcel))
    assert "cannot be read" in str(refused(library, replaced(packed, WEIGHTS, load_me)))
    assert not canary.exists()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(WEIGHTS)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def squeezed(name: str, size: int) -> dict[str, bytes]:
    return {name: b"\0" * size}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda files: b"", "not a zip"),
        (lambda files: b"PK\x03\x04 and then nothing", "not a whole zip"),
        (lambda files: zipped({}), "no run: it lacks manifest.json and weights"),
        (lambda files: zipped(files)[:-40], "not a whole zip"),
        (lambda files: zipped({**files, "../../evil.json": b"x"}), "leads out"),
        (lambda files: zipped({**files, "/etc/passwd": b"x"}), "leads out"),
        (lambda files: zipped({**files, "C:\\evil.json": b"x"}), "leads out"),
        (lambda files: zipped({**files, "sub/..\\..\\evil": b"x"}), "leads out"),
        (lambda files: zipped({**files, "run/manifest.json": b"{}"}), "no file of a run"),
        (lambda files: zipped({**files, "readme.html": b"<script>"}), "no file of a run"),
        (lambda files: zipped({**files, "folder/": b""}), "not a file"),
        (lambda files: zipped([*files.items(), (WEIGHTS, b"x")]), "twice"),
        (lambda files: zipped([(link(), b"/etc/passwd"), *((n, c) for n, c in files.items() if n != WEIGHTS)]), "link"),
        (lambda files: zipped(files, zipfile.ZIP_LZMA), "compressed in a way"),
        (lambda files: zipped({**files, **squeezed(CARD, 2**20 + 1)}), "at most 1 are taken"),
        (lambda files: zipped({**files, **squeezed("scores.parquet", 65 * 2**20)}), "at most 64 are taken"),
        (lambda files: zipped({**files, **squeezed("scores.parquet", 8 * 2**20)}), "-fold when unpacked"),
        (lambda files: zipped({f"{i}.json": b"" for i in range(1000)}), "1,000 files"),
        (lambda files: zipped({**files, MANIFEST: b"{"}), "cannot be read as JSON"),
        (lambda files: zipped({**files, MANIFEST: b"[" * 100_000}), "cannot be read as JSON"),
        (lambda files: zipped({**files, MANIFEST: b'{"a": NaN}'}), "cannot be read as JSON"),
        (lambda files: zipped({**files, MANIFEST: b'{"a": "\\ud800"}'}), "cannot be read as JSON"),
        (lambda files: zipped({**files, MANIFEST: b"[]"}), "not an object"),
        (lambda files: zipped({n: c for n, c in files.items() if n != "history.parquet"}), "names history"),
        (lambda files: zipped({**files, "history.parquet": b"x"}), "does not match its checksum"),
        (lambda files: zipped({**files, WEIGHTS: files[WEIGHTS][:-4]}), "does not match its checksum"),
    ],
)
def test_hostile_archives_are_refused_in_words(library, packed, make, words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile warns about the name it writes twice
        parcel = make(contents(packed))
    assert words in str(refused(library, parcel))


def test_an_encrypted_file_is_refused(library, packed):
    parcel = bytearray(zipped(contents(packed)))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = parcel.index(mark)
        parcel[at + flags] |= 1
    assert "encrypted" in str(refused(library, bytes(parcel)))


def test_a_file_that_is_larger_than_it_says_is_refused(library, packed):
    parcel = bytearray(zipped(contents(packed), zipfile.ZIP_STORED))
    with zipfile.ZipFile(io.BytesIO(parcel)) as opened:
        entry = opened.getinfo("history.parquet")
    for field in (entry.header_offset + 22, parcel.rindex(b"history.parquet") - 46 + 24):
        assert int.from_bytes(parcel[field : field + 4], "little") == entry.file_size
        parcel[field : field + 4] = (entry.file_size // 2).to_bytes(4, "little")
    refused(library, bytes(parcel))


def test_a_file_over_the_limit_is_refused_unread(library, packed):
    assert "may have up to 0 MB" in str(refused(library, packed, limit=1_000))


# ---- what is refused once it is unpacked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(schema="2.0"), "schema '2.0'"),
        (lambda m: m.update(run_id="../x"), "run_id"),
        (lambda m: m.update(model="magic"), "does not know"),
        (lambda m: m.update(model="mlp"), "do not fit a mlp"),
        (lambda m: m["model_config"].update(channels=3), "takes other pictures"),
        (lambda m: m["model_config"].update(surprise=1), "cannot be built"),
        (lambda m: (m["model_config"].update(height=4096), m["dataset"].update(height=4096)), "do not fit"),
        (lambda m: m.update(parameters=m["parameters"] + 1), "do not fit"),
        (lambda m: m["nouns"].update(secret={"sha256": "0" * 64}), "names secret"),
        (lambda m: m["nouns"].pop("filters"), "holds filters.npz"),
        (lambda m: m["results"]["test"].update(correct=0), "its predictions say"),
        (lambda m: m["results"].update(train={"correct": 1, "n": 1, "loss": 0.0}), "its predictions say 0 of 0"),
        (lambda m: m["dataset"].update(classes=["a", "b", "c", "d", "e"]), "takes other pictures or classes"),
    ],
)
def test_manifests_that_do_not_check_out_are_refused(library, packed, change, words):
    assert words in str(refused(library, changed(packed, change)))


def test_weights_must_fit_and_be_finite(library, packed):
    weights = load(contents(packed)[WEIGHTS])
    first = next(name for name, array in weights.items() if array.ndim == 4)
    for bad, words in (
        ({**weights, first: np.full_like(weights[first], np.nan)}, "not finite"),
        ({**weights, first: weights[first][:1].copy()}, "do not fit"),
        ({name: array for name, array in weights.items() if name != first}, "do not fit"),
        ({**weights, "more": np.zeros(2, np.float32)}, "do not fit"),
    ):
        assert words in str(refused(library, replaced(packed, WEIGHTS, save(bad))))


def test_tables_must_be_what_a_run_has(library, packed):
    frame = pd.read_parquet(io.BytesIO(contents(packed)["predictions.parquet"]))
    long = frame.assign(split="x" * 5_000)
    for bad, words in (
        (frame.assign(label=99), "cannot be"),
        (frame.assign(p_0=2.0), "cannot be"),
        (frame.assign(example_id=1), "cannot be"),
        (frame.drop(columns="p_3"), "one probability a class"),
        (frame.assign(more=1), "unknown columns"),
        (frame.assign(label=0), "its predictions say"),
        (frame.assign(confidence="high"), "must be floating"),
        (long, "texts that are longer"),
        (frame.assign(p_0=[[0.5]] * len(frame)), "column of the type"),
    ):
        assert words in str(refused(library, replaced(packed, "predictions.parquet", parquet(bad), "predictions")))
    many = pd.DataFrame({name: np.zeros(3_000_000, np.int8) for name in ("a", "b", "c", "d")})
    assert "3,000,000 rows" in str(refused(library, replaced(packed, "scores.parquet", parquet(many), "scores")))
    assert "does not check out" in str(refused(library, replaced(packed, "scores.parquet", b"PAR1 no", "scores")))


def test_arrays_must_be_what_a_run_has(library, packed):
    def npz(**arrays):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    for bad, words in (
        (npz(**{"body.0": np.zeros((1, 1, 3, 3), np.float64)}), "must be float16"),
        (npz(**{"body.0": np.zeros((1, 1, 8192, 8192), np.float16)}), "larger than a run's"),
        (npz(**{f"body.{i}": np.zeros((1, 1, 3, 3), np.float16) for i in range(201)}), "larger than a run's"),
        (zipped({"x.txt": b"hello"}), "no array"),
        (b"not a zip", "does not check out"),
    ):
        assert words in str(refused(library, replaced(packed, "filters.npz", bad, "filters")))


def test_what_a_killed_import_left_is_swept_away_later(library):
    left = library.home / "runs" / "import-00.partial"
    left.mkdir()
    run_archive.sweep(library.home)
    assert left.is_dir()
    run_archive.sweep(library.home, now=left.stat().st_mtime + run_archive.STALE_SECONDS + 1)
    assert not left.exists()
    assert (library.home / "runs" / "toy").is_dir()
