"""Files of arrays, mapped: npy and npz, idx, MATLAB's, CIFAR's records, STL-10's. Nothing in them is ever unpickled."""

import contextlib
import gzip
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.data.importing import hdf5, libsvm, matlab_files
from ml.data.importing.records import LeftOut
from ml.data.importing.sources import Entry, Scratch, poured
from ml.images.decoding import Refusal
from ml.images.file_names import clean
from ml.system.damage import DAMAGED

IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
CIFAR_10, CIFAR_100, SIDE = re.compile(r"(?:data_batch_\d+|test_batch)\.bin"), re.compile(r"(?:train|test)\.bin"), 32
STL_SIDE, STL_NAMES = 96, "class_names.txt"
CIFAR_NAMES = ("batches.meta.txt", "fine_label_names.txt")
PICKLED = re.compile(r"(?:data_batch_\d|test_batch|batches\.meta)|.*\.(?:pkl|pickle|pt|pth|joblib)", re.IGNORECASE)
NORB = (
    "it is a matrix of NORB, not of MATLAB: write one picture of each pair, and its label, as x_train and y_train of "
    "an npz"
)
HDF5 = (".h5", ".hdf5")
OBJECTS = "it holds pickled objects, and pickles are never opened"


@dataclass(frozen=True)
class Array:
    """outer: the name of its file, without folders and suffixes; inner: its name within, '' for none that says
    anything; values: mapped; counted: whether the head counts levels in place of pictures, as Datumaro has it."""

    name: str
    outer: str
    inner: str
    values: np.ndarray
    counted: bool = False
    by_columns: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def is_emnist(self) -> bool:
        """Of idx files, which have rows and columns the other way round in this data set alone."""
        return "emnist" in self.outer.casefold() and ("idx" in self.name or "ubyte" in self.name)

    @property
    def is_cifar(self) -> bool:
        return self.name.endswith(".bin")


class Arrays:
    """The arrays that files of a source hold. names: of classes by id, as a file beside them says; pickled: files that
    are never opened."""

    def __init__(self, entries: Sequence[Entry], scratch: Scratch, left_out: LeftOut) -> None:
        self.names: list[str] = []
        self.notes: list[str] = []
        self.pickled = [one.name for one in entries if PICKLED.fullmatch(one.name.rpartition("/")[2])]
        self.arrays: list[Array] = []
        self._entries, self._scratch, self._left_out = entries, scratch, left_out
        for entry in entries:
            lower = entry.name.casefold()
            try:
                if lower.endswith((".npz", ".npy")):
                    self._numpy(entry)
                elif lower.endswith(".mat"):
                    self._matlab(entry)
                elif lower.endswith(HDF5):
                    self._hdf5(entry)
                elif "idx" in lower or "ubyte" in lower:
                    self._idx(entry)
                elif lower.endswith("mapping.txt"):
                    self._mapping(entry)
                elif lower.endswith("classmap.csv"):
                    self._class_map(entry)
            except DAMAGED as error:
                left_out.add(entry.name, f"it cannot be read as arrays: {error}")

    def _numpy(self, entry: Entry) -> None:
        place, outer = entry.place(), _outer(entry.name)
        if entry.name.casefold().endswith(".npy"):
            self._map(place, entry.name, outer, "")
            return
        with zipfile.ZipFile(place) as archive:
            for one in archive.infolist():
                inner = one.filename.removesuffix(".npy")
                copy = self._scratch.path()
                with archive.open(one) as part:
                    poured(part.read, copy)
                shown = inner if not re.fullmatch(r"arr_\d+", inner) else ""
                self._map(copy, f"{entry.name}, {inner}", outer, shown)

    def _matlab(self, entry: Entry) -> None:
        """Pictures last to first, as SVHN has them, [h, w, c, n]; of version 7.3 as HDF5, which it is."""
        with entry.place().open("rb") as file:
            start = file.read(520)
        if start[1:4] == b"\x4c\x3d\x1e":
            self._left_out.add(entry.name, NORB)
            return
        if start[:6] != b"MATLAB" and b"\x89HDF" in (start[:4], start[512:516]):  # as hdf5storage may write it
            self._hdf5(entry)
            return
        try:
            for found in matlab_files.arrays(entry.place()):
                if isinstance(found, str):
                    self._left_out.add(f"{entry.name}, {found}", "it is larger than one array may be: bring it as npz")
                    continue
                name, values, by_columns = found
                if name.endswith("mapping") and values.ndim == 2 and values.shape[1] in (2, 3):  # EMNIST's
                    ids = {int(row[0]): chr(int(row[1])) for row in values.tolist()}
                    self.names = [ids.get(i, "") for i in range(max(ids, default=-1) + 1)]
                    continue
                copy = self._scratch.path()
                with copy.open("wb") as file:
                    np.save(file, np.ascontiguousarray(values))
                self._map(copy, f"{entry.name}, {name}", _outer(entry.name), name, by_columns)
        except NotImplementedError:  # of version 7.3
            self._hdf5(entry)

    def _hdf5(self, entry: Entry) -> None:
        outer = _outer(entry.name)
        found = [
            Array(f"{entry.name}, {name}", outer, name, values)
            for name, values in hdf5.arrays(entry.place(), self._scratch.path)
        ]
        self.arrays += found

    def _map(self, place: Path, name: str, outer: str, inner: str, by_columns: bool = False) -> None:
        try:
            values = np.load(place, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError, OverflowError) as error:  # a length below 0
            self._left_out.add(name, OBJECTS if "pickle" in str(error) or "object" in str(error) else f"{error}")
            return
        self.arrays.append(Array(name, outer, inner, values, by_columns=by_columns))

    def _idx(self, entry: Entry) -> None:
        place = self._plain(entry)
        with place.open("rb") as file:
            head = file.read(4)
            if len(head) < 4:
                self._left_out.add(entry.name, "it breaks off within its head")
                return
            if head[:2] != b"\0\0" or head[2] not in IDX_TYPES:
                return
            shape = [int.from_bytes(file.read(4), "big") for _ in range(head[3])]
            start = file.tell()
        dtype = np.dtype(IDX_TYPES[head[2]])
        each = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        whole = min(shape[0], (place.stat().st_size - start) // max(1, each))
        counted = len(shape) == 3 and shape[0] == place.stat().st_size - start > whole
        if whole < shape[0] and not counted:
            self.notes.append(f"{clean(entry.name)} breaks off: {whole:,} of its {shape[0]:,} entries are there")
        if whole:
            values = np.memmap(place, dtype, "r", start, (whole, *shape[1:]))
            self.arrays.append(Array(entry.name, _outer(entry.name), "", values, counted))

    def _plain(self, entry: Entry) -> Path:
        """The file, unpacked where gzip has packed it, as far as it goes."""
        place = entry.place()
        with place.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                return place
        copy = self._scratch.path()
        with gzip.open(place) as packed, contextlib.suppress(EOFError, zlib.error):
            poured(packed.read1, copy)
        return copy

    def _mapping(self, entry: Entry) -> None:
        """EMNIST's: an id, and the code points of what it stands for."""
        pairs = [line.split() for line in entry.content().decode("ascii", "replace").splitlines() if line.strip()]
        ids = {int(one[0]): chr(int(one[1])) for one in pairs if len(one) > 1}
        self.names = [ids.get(i, "") for i in range(max(ids, default=-1) + 1)]

    def _class_map(self, entry: Entry) -> None:
        """KMNIST's: index, codepoint, char."""
        rows = [line.split(",") for line in entry.content().decode("utf-8-sig", "replace").splitlines()]
        ids = {int(row[0]): row[2].strip() for row in rows if len(row) > 2 and row[0].isdigit()}
        self.names = [ids.get(i, "") for i in range(max(ids, default=-1) + 1)]

    def cifar(self) -> list[tuple[str, Array, Array]]:
        """Split, pictures and labels of CIFAR's binary files, which are records of labels and red, green and blue."""
        found = []
        called = {one.name.rpartition("/")[2]: one for one in self._entries}
        hundred = any(map(CIFAR_100.fullmatch, called)) and CIFAR_NAMES[1] in called
        for name, entry in called.items():
            if not (CIFAR_100 if hundred else CIFAR_10).fullmatch(name):
                continue
            place, labels = entry.place(), 2 if hundred else 1
            size = labels + 3 * SIDE * SIDE
            n, rest = divmod(place.stat().st_size, size)
            if rest:
                self.notes.append(f"{clean(entry.name)} breaks off within its record {n + 1:,}, which is not read")
            if n:
                records = np.memmap(place, np.uint8, "r", 0, (n, size))
                pixels = records[:, labels:].reshape(n, 3, SIDE, SIDE)
                images = Array(entry.name, _outer(name), "", pixels)
                split = "test" if name.startswith("test") else "train"
                found.append((split, images, Array(entry.name, _outer(name), "", records[:, labels - 1])))
        with contextlib.suppress(OSError, Refusal):
            for name in CIFAR_NAMES:
                if found and name in called:
                    lines = called[name].content().decode("utf-8", "replace").splitlines()
                    self.names = [line.strip() for line in lines if line.strip()]
        return found

    def libsvm(self) -> list[tuple[str, Array, Array]]:
        """Split, pictures and labels of files of rows; `.t` stands for test in the names that these have."""
        found = []
        for entry in libsvm.among(self._entries):
            last = entry.name.rpartition("/")[2].casefold()
            try:
                images, labels = libsvm.read(entry, self._scratch)
            except DAMAGED as error:
                self._left_out.add(entry.name, f"it cannot be read as rows of numbers: {error}")
                continue
            split = "test" if "t" in last.split(".")[1:] else "validation" if "val" in last.split(".")[1:] else "train"
            outer = _outer(entry.name)
            found.append((split, Array(entry.name, outer, "", images), Array(entry.name, outer, "", labels)))
        if len(found) == 1:
            return [("", *found[0][1:])]
        return found

    def stl(self) -> list[tuple[str, Array, Array]]:
        """Split, pictures and labels of STL-10's binary files, whose planes are written column by column; labels begin
        with 1."""
        called = {one.name.rpartition("/")[2]: one for one in self._entries}
        found = []
        for part in ("train", "test", "unlabeled"):
            name = f"{part}_X.bin"
            entry, labels = called.get(name), called.get(f"{part}_y.bin")
            if entry is None or (labels is None and part != "unlabeled"):
                continue
            place, size = entry.place(), 3 * STL_SIDE * STL_SIDE
            n = place.stat().st_size // size
            if not n:
                continue
            planes = np.memmap(place, np.uint8, "r", 0, (n, 3, STL_SIDE, STL_SIDE)).transpose(0, 1, 3, 2)
            ids = np.full(n, -1) if labels is None else np.fromfile(labels.place(), np.uint8).astype(np.int16) - 1
            split = "unlabelled" if labels is None else part
            found.append((split, Array(entry.name, _outer(name), "", planes), Array(name, _outer(name), "", ids)))
        if found and STL_NAMES in called:
            with contextlib.suppress(OSError, Refusal):
                self.names = called[STL_NAMES].content().decode("utf-8", "replace").split()
        return found


def _outer(name: str) -> str:
    return re.sub(r"\.(?:npz|npy|gz|bin|mat|hdf5|h5)", "", name.rpartition("/")[2], flags=re.IGNORECASE)
