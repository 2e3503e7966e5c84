"""A published data set fetched from where it lies, or taken from a folder of the same files, by the list that ships.

Which file is which picture the list says (ml.data.listed): numbers, splits and the digest are those that the runs which
ship were made with, whatever size the files have here. What is missing or another picture is left out and counted.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.artifacts import writer
from ml.artifacts.opening import Missing, table
from ml.artifacts.schema import PICTURE_NOUNS
from ml.data import intake, kept_files, listed, originals
from ml.data.base import SPLITS, Dataset, Split, class_names, same_pictures, statistics_of
from ml.data.fetchable import FETCHABLE, Published
from ml.data.importing.records import LeftOut, Record
from ml.data.importing.sources import IMPORTING
from ml.data.intake.measures import measure
from ml.data.reading import Cancelled, Hand, Made, Progress, never, nobody, read_all
from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.file_names import clean
from ml.images.form import Form
from ml.images.smaller import smaller
from ml.system import atomic, git, scratch
from ml.system.paths import ARTIFACTS, home_dir
from ml.system.processor import cores
from ml.system.wording import quantity

ORIGINALS = "originals.zip"  # the files as they were made smaller, beside the pictures
TOGETHER = 64  # files made smaller at a time
LEAST = 0.5  # of the files: with fewer it is another folder
ALIKE = {"brightness": 0.05, "contrast": 0.05, "ink": 0.15, "symmetry": 0.2, "x": 0.1, "y": 0.1}
"""How far what is measured of a picture may be from what was measured when the list was made. Of 150 photographs of
clothes, made again from twice or half their size, nothing moved half as far; of two at random one in 20 is so alike."""
ABSENT, ANOTHER = "it is not there", "it is another picture than the list names"


@dataclass(frozen=True)
class Fetched:
    """folder: of the data set; described: its dataset.json; left_out: files of the list that are not in it, and why;
    already: whether it was here, and nothing was done."""

    folder: Path
    described: Mapping[str, Any]
    left_out: LeftOut = field(default_factory=LeftOut)
    already: bool = False


@dataclass(frozen=True)
class _List:
    """What ships of a data set: its dataset.json, which file is which, and what was measured."""

    described: Mapping[str, Any]
    files: pd.DataFrame
    measured: pd.DataFrame


def fetch(
    name: str, *, source: Path | None = None, home: Path | None = None, artifacts: Path = ARTIFACTS,
    known: Mapping[str, Published] = FETCHABLE, by: str | None = None, progress: Progress = nobody,
    cancelled: Callable[[], bool] = never,
) -> Fetched:  # fmt: skip
    """Make a published data set of its files; one that is here whole stays as it is.

    source: a folder that has the files, without network; by: an engine of ml.system.git, the first there is when None.
    Raises KeyError for what cannot be fetched, Missing (with its command) where it cannot be had, intake.Taken where
    another data set has its name, ValueError, Cancelled, OSError. Nothing is left of it then.
    """
    home = home or home_dir()
    if name not in known:
        raise KeyError(f"{name!r} is no data set that can be fetched; there are {', '.join(known)}")
    published, wanted = known[name], _wanted(artifacts / "datasets" / name, name)
    kept = home / "datasets" / name
    before = intake.described_in(kept)
    if kept.exists():
        if not same_pictures(before, wanted.described):
            raise intake.Taken(
                f"There is another data set {name!r} here. To put it away: python -m ml data remove {name}"
            )
        if not before.get("absent") and (kept / "train.npz").is_file():
            return Fetched(kept, before, already=True)
    home.mkdir(parents=True, exist_ok=True)
    left_out = LeftOut()
    with scratch.folder(home, IMPORTING) as aside:
        files = aside / ORIGINALS
        hand = Hand(aside, progress, cancelled)
        if source is not None:
            _pack(files, wanted.files["path"], _in_folder(source, wanted.files["path"]), published.side, hand, left_out)
        else:
            _from_git(published, wanted.files["path"], aside / "git", files, hand, left_out, by)
        origin = str(source.resolve()) if source is not None else published.shown
        written, described = _written(wanted, published, files, aside, hand, left_out, origin)
        hand.check()
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            atomic.rename(kept, aside / intake.REPLACED)
        atomic.rename(written, kept)
    progress(1, 1, "done")
    return Fetched(kept, described, left_out)


def _wanted(folder: Path, name: str) -> _List:
    """Raises Missing, Broken, ValueError."""
    described = intake.described_in(folder)
    if not described.get("files"):
        raise Missing(f"This version of the app does not come with a list of the files of {name}.")
    files = table(folder / PICTURE_NOUNS["files"].file, PICTURE_NOUNS["files"], name)
    listed.check(files, described)
    return _List(described, files, table(folder / PICTURE_NOUNS["properties"].file, PICTURE_NOUNS["properties"], name))


def _from_git(
    published: Published, paths: Iterable[str], folder: Path, files: Path, hand: Hand, left_out: LeftOut, by: str | None
) -> None:
    """Raises Missing, with the way that needs no network; Cancelled, OSError."""
    otherwise = f"python -m ml data fetch {published.name} --from FOLDER"
    folder.mkdir()
    try:
        commit = git.fetch(
            published.address, published.commit, folder, most=published.most, by=by, progress=hand.progress,
            cancelled=hand.cancelled,
        )  # fmt: skip
        there = commit.files()
        found = [path for path in paths if path in there]
        contents = zip(found, commit.contents([there[path] for path in found]), strict=True)
        _pack(files, paths, contents, published.side, hand, left_out)
    except git.GivenUp:
        raise Cancelled from None
    except git.NoGit as problem:
        raise Missing(f"{problem} Where the same folder lies on this machine, name it.", otherwise) from None
    except git.Unreachable as problem:
        words = f"{published.shown} cannot be fetched: {problem}. Where the same folder lies on this machine, name it."
        raise Missing(words, otherwise) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_folder(top: Path, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Files of the list that are in a folder, or in the only one that lies in it. Raises ValueError, in words."""
    paths = list(paths)
    if not top.is_dir():
        raise ValueError(f"{top} is not a folder that is there")
    inside = [one for one in top.iterdir() if one.is_dir()]
    roots = [top, *(inside if len(inside) == 1 else [])]
    root = max(roots, key=lambda one: sum((one / path).is_file() for path in paths))
    for path in paths:
        try:
            with (root / path).open("rb") as file:
                yield path, file.read(FILE_BYTES + 1)
        except FileNotFoundError:
            continue
        except OSError:
            yield path, b""


def _pack(
    target: Path, paths: Iterable[str], contents: Iterable[tuple[str, bytes]], side: int, hand: Hand, left_out: LeftOut
) -> None:
    """Files made smaller into a zip, under their paths; what cannot be read is told of. Raises ValueError, Cancelled,
    OSError."""
    total = len(paths := list(paths))
    packed: set[str] = set()

    def made(one: tuple[str, bytes]) -> tuple[str, bytes, str]:
        try:
            return one[0], smaller(one[1], side), ""
        except Refusal as problem:
            return one[0], b"", str(problem)

    with zipfile.ZipFile(target, "w") as archive, ThreadPoolExecutor(cores()) as pool:
        waiting: list[tuple[str, bytes]] = []

        def write() -> None:
            hand.check()
            for path, content, problem in pool.map(made, waiting):
                packed.add(path)
                if problem:
                    left_out.add(path, problem)
                else:
                    archive.writestr(zipfile.ZipInfo(path), content)
            waiting.clear()
            hand.progress(len(packed), total, "making photographs smaller")

        for one in contents:
            waiting.append(one)
            if len(waiting) == TOGETHER:
                write()
        write()
    for path in paths:
        if path not in packed:
            left_out.add(path, ABSENT)
    here = total - len(left_out.files)
    if here < LEAST * total:
        raise ValueError(
            f"only {here:,} of {quantity(total, 'picture')} are there: {paths[0]} and so on are looked for"
        )


def _written(
    wanted: _List, published: Published, files: Path, aside: Path, hand: Hand, left_out: LeftOut, origin: str
) -> tuple[Path, dict[str, Any]]:
    """The data set in its folder within `aside`, and its dataset.json. Raises Cancelled, OSError, ValueError."""
    others: set[int] = set()
    with zipfile.ZipFile(files) as archive:
        while True:
            made, rows = _read(wanted, archive, hand, others, left_out)
            dataset, columns = _dataset(wanted.described, rows, made)
            hand.progress(0, 1, "writing")
            about = {key: wanted.described[key] for key in ("description", "published", "files", "choices", "why")
                     if key in wanted.described}  # fmt: skip
            about |= {
                "digest": dataset.digest, "version": 1, "imported": writer.now(), "fetched": origin,
                "source": {"path": ORIGINALS, "kind": "photographs that were fetched"},
                "left_out": left_out.reasons(intake.NAMES), "absent": len(wanted.files) - len(rows),
                "sizes": [[*size, n] for size, n in made.sizes.most_common(intake.SIZES)], "dim": len(made.dim),
            }  # fmt: skip
            folder = writer.write_pictures(aside, dataset, complete=True, about=about)
            hand.check()
            hand.progress(0, 1, "measuring")
            measure(aside, dataset)
            more = _others(wanted.measured, folder)
            if not more:
                break
            for path in wanted.files.loc[wanted.files["example_id"].isin(more), "path"]:
                left_out.add(path, ANOTHER)
            others |= more
    kept_files.write(folder, dict(dataset.files()) if dataset.files else {})
    originals.write(folder, columns)
    atomic.rename(files, folder / ORIGINALS)
    described = intake.described_in(folder) | {"near": intake.near(folder)}
    atomic.write(folder / "dataset.json", writer.as_json(described))
    return folder, described


def _read(
    wanted: _List, archive: zipfile.ZipFile, hand: Hand, others: set[int], left_out: LeftOut
) -> tuple[Made, pd.DataFrame]:
    """Pictures of the list, fitted as they were when it was made, and their rows of it."""
    there, said = set(archive.namelist()), wanted.described
    files = wanted.files[wanted.files["path"].isin(there) & ~wanted.files["example_id"].isin(others)]
    records = [
        Record(clean(row.path), int(row.label), row.split, read=partial(archive.read, row.path), path=row.path,
               part=row.path.partition("/")[0])
        for row in files.itertuples(index=False)
    ]  # fmt: skip
    form = Form(
        said["height"], said["width"], said["channels"], fitting=said["fitting"], resampling=said["resampling"],
        laid_on=said["background"], levels=tuple(said["levels"]) if said["levels"] else None,
    )  # fmt: skip
    made = read_all(records, form, hand, watch=False)
    for row, reason in made.left:
        left_out.add(records[row].name, reason)
    return made, files.iloc[made.rows].reset_index(drop=True)


def _dataset(said: Mapping[str, Any], rows: pd.DataFrame, made: Made) -> tuple[Dataset, dict[str, list[Any]]]:
    """Under the numbers and in the splits of the list; and, of each number, where it came from."""
    ids, labels = rows["example_id"].to_numpy(np.int32), rows["label"].to_numpy(np.int64)
    everything = Split(made.images, labels, ids)
    places = {split: np.flatnonzero(rows["split"] == split) for split in SPLITS}
    if not all(len(one) for one in places.values()):
        raise ValueError("a split has no picture that can be read")
    splits = {split: everything.take(one) for split, one in places.items()}
    place = {int(one): i for i, one in enumerate(ids)}
    numbers = range(int(ids.max()) + 1)
    nothing: dict[str, Any] = {"row": -1, "name": "", "path": "", "part": "", "bytes": 0, "digest": b""}
    known: dict[str, list[Any]] = {
        "row": made.rows, "name": [one.name for one in made.files], "path": [one.path for one in made.files],
        "bytes": made.lengths, "digest": made.digests, "part": [one.part for one in made.files],
    }  # fmt: skip
    columns = {key: [of[place[one]] if one in place else nothing[key] for one in numbers] for key, of in known.items()}
    contents = [made.files[place[one]].content if one in place else bytes for one in numbers]
    files = kept_files.some(splits["validation"], contents, said["seed"])
    pixels = len(places["train"]) * said["height"] * said["width"]
    total = np.sum([made.sums[row] for row in places["train"].tolist()], axis=0)
    dataset = Dataset(
        said["name"], said["title"], class_names(said["classes"]), splits, said["seed"], hashes=dict(said["hashes"]),
        fitting=said["fitting"], resampling=said["resampling"], background=said["background"],
        levels=tuple(said["levels"]) if said["levels"] else None, files=lambda: files,
        recorded=statistics_of(total, pixels),
    )  # fmt: skip
    return dataset, columns


def _others(measured: pd.DataFrame, folder: Path) -> set[int]:
    """Numbers of pictures of which something else was measured than when the list was made."""
    now = pd.read_parquet(folder / PICTURE_NOUNS["properties"].file)
    both = measured.merge(now, on=["split", "example_id"], suffixes=("", "_now"))
    far = np.zeros(len(both), bool)
    for name, most in ALIKE.items():
        far |= (both[name] - both[f"{name}_now"]).abs().to_numpy() > most
    return set(both.loc[far, "example_id"].tolist())
