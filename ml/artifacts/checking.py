"""Whether what a run is made of, and the pictures of a data set, can be what they say: each file judged, then looked through.

Everything optional is checked when it is read; weights, history and predictions already where runs are listed.
"""

import math
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.artifacts import inspection, kinds
from ml.artifacts.inspection import HEADER_BYTES, MANIFEST, Bounds
from ml.artifacts.kinds import IMPORTED_NETWORK, WEIGHTS
from ml.artifacts.schema import NOUNS, Mismatch, Table
from ml.artifacts.writer import sha256
from ml.data import images
from ml.system.wording import quantity

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # how pickles and torch.save begin
INDEX_BYTES = 2 * 2**20  # of index.json or a data set's dataset.json
PICTURES_BYTES = 4 * 2**30  # of a split's pictures, packed
BATCH_CELLS = 4_000_000  # of a table that are looked at together, 4 to 8 bytes each
# whatever a file from elsewhere makes its reader raise
UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, RecursionError, EOFError,
    zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, pa.ArrowException,
)  # fmt: skip


def pictures(path: Path) -> None:
    """Raise Mismatch unless the arrays of a split are as many and as large as each other and its dataset.json say."""
    inside = inspection.arrays(path, file_bytes=PICTURES_BYTES)
    shapes = {name: shape for name, (_, shape) in inside.items()}
    part = "rows" in inside
    pixels = inside.get("images") or inspection.array(images.file_of(path.parent, path.stem, part=part))
    n, *form = pixels[1]
    n = shapes["rows"][0] if part else n
    if len(form) != 3 or shapes["labels"] != (n,) or shapes["ids"] != (n,) or pixels[0] != np.uint8:
        raise Mismatch(f"{path.name} holds no pictures with a label and a number each")
    try:
        told = inspection.document(path.parent / "dataset.json", INDEX_BYTES)
    except FileNotFoundError:
        return
    if form != [told[side] for side in ("height", "width", "channels")]:
        raise Mismatch(f"{path.name} holds pictures of another size than its dataset.json says")


def core_problem(folder: Path, manifest: dict[str, Any]) -> str:
    """Why weights, history or predictions cannot be used; '' when they can."""
    try:
        if manifest.get("weights") and (wrong := _weights_problem(folder, manifest)):
            return wrong
        for noun in kinds.core(manifest):
            declared = NOUNS[noun]
            assert isinstance(declared, Table)
            path = folder / declared.file
            if sha256(path) != manifest["nouns"][noun]["sha256"]:
                return f"its {declared.file} does not match its checksum"
            inspection.table(path, declared, Bounds.of(manifest))
            columns = pq.read_schema(path).names
            optional = declared.optional if not kinds.has(manifest, "top-k") else ()
            lost = [c for c in declared.columns if not c.endswith("*") and c not in columns and c not in optional]
            if lost:
                return f"its {declared.file} lacks {', '.join(lost)}"
            _values(path, declared, len(manifest["dataset"]["classes"]), bare=bool(optional))
            if noun == "predictions":
                _counted(path, manifest["results"])
    except Mismatch as mismatch:
        words = str(mismatch)
        return words if words.startswith("unsafe") else f"its {words}"
    except UNREADABLE as error:
        return f"its files cannot be read ({type(error).__name__})"
    return ""


def _weights_problem(folder: Path, manifest: dict[str, Any]) -> str:
    """Why weights cannot be used; '' when they can. Raises what core_problem tells of."""
    if kinds.weights_file(manifest) == IMPORTED_NETWORK:  # what is in it, onnxruntime alone can say
        same = sha256(folder / IMPORTED_NETWORK) == manifest["weights"]["sha256"]
        return "" if same else f"its {IMPORTED_NETWORK} does not match its checksum"
    with (folder / WEIGHTS).open("rb") as file:
        start = file.read(HEADER_BYTES + 1)
        if start.startswith(PICKLED) and start[HEADER_BYTES:] != b"{":  # a description of 640 bytes begins like one
            return f"unsafe format: its {WEIGHTS} is a pickle or a zip, and is never opened"
    if sha256(folder / WEIGHTS) != manifest["weights"]["sha256"]:
        return f"its {WEIGHTS} does not match its checksum"
    shapes = inspection.tensors(folder / WEIGHTS)
    for layer in manifest.get("layers", []):
        inside = [shape for name, shape in shapes.items() if f"{name}.".startswith(f"{layer['name']}.")]
        if sum(map(math.prod, inside)) < layer["parameters"]:
            return f"its weights have other shapes than its layer {layer['name'][:40]}"
    _finite(folder / WEIGHTS, shapes)
    return ""


def _finite(path: Path, names: Collection[str]) -> None:
    """Raise Mismatch where a weight is not finite. One array at a time: the file may be larger than the memory."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as weights:
            for name in names:
                if not np.isfinite(weights.get_tensor(name)).all():
                    raise Mismatch(f"{path.name} has values that are not finite in {name[:40]}")
    except SafetensorError:
        raise Mismatch(f"{path.name} cannot be read") from None


def _values(path: Path, declared: Table, classes: int, *, bare: bool = False) -> None:
    """Raise Mismatch where a core table has values that no run has: empty, not finite, of classes there are not.

    bare: whether predictions may be labels alone.
    """
    with pq.ParquetFile(path) as file:
        rows = max(1, BATCH_CELLS // max(1, file.metadata.num_columns))
        for batch in file.iter_batches(rows, use_threads=False):  # threads keep memory of their own
            frame = batch.to_pandas(use_threads=False)
            declared.check(frame)
            for column in {"label", "predicted"} & set(frame.columns):
                if not frame[column].between(0, classes - 1).all():
                    raise Mismatch(f"{path.name} names a class that its data set has not, in {column}")
            named = sum(name.startswith("p_") for name in frame.columns)
            if declared.noun == "predictions" and named != classes and not (bare and not named):
                raise Mismatch(f"{path.name} does not have one probability a class")


def _counted(path: Path, results: Mapping[str, Any]) -> None:
    """Raise Mismatch where predictions name an example twice, or are not as many as the manifest says.

    results: of each split that was judged, n and correct.
    """
    with pq.ParquetFile(path, read_dictionary=["split"]) as file:  # a word a row would be ten times as much
        read = file.read(columns=["split", "example_id"], use_threads=False)
    splits, ids = read["split"].unify_dictionaries().combine_chunks(), read["example_id"].to_numpy()
    if len(ids) and ids.min() < 0:
        raise Mismatch(f"{path.name} has the example {ids.min()}, and they are counted from 0")
    places = splits.indices.to_numpy()
    for place, split in enumerate(splits.dictionary.to_pylist()):
        mine = np.sort(ids[places == place])
        twice = mine[1:][mine[1:] == mine[:-1]]
        if len(twice):
            raise Mismatch(f"{path.name} has the example {twice[0]} of {split} more than once")
        if split in results and results[split]["n"] != len(mine):
            n, told = quantity(len(mine), "example"), results[split]["n"]
            raise Mismatch(f"{path.name} has {n} of {split}, and its {MANIFEST} says {told:,}")
    if lost := [split for split in results if split not in splits.dictionary.to_pylist()]:
        raise Mismatch(f"{path.name} has no examples of {lost[0]}, and its {MANIFEST} says {results[lost[0]]['n']:,}")
