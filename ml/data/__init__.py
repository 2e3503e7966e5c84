"""Every data set the app knows, by name: Fashion-MNIST, synthetic ones, and those a person imported."""

from collections.abc import Callable
from pathlib import Path

from ml.data import fashion_mnist, folder, synthetic
from ml.data.base import Dataset, Split
from ml.data.fashion_mnist import DataMissing
from ml.data.fetchable import FETCHABLE
from ml.data.folder import Imported
from ml.data.importing.choices import Choices
from ml.data.importing.records import Unclear
from ml.data.plans import Plan, plan
from ml.data.reading import Cancelled, Progress, never, nobody
from ml.system import trash
from ml.system.paths import ARTIFACTS, home_dir
from ml.system.shards import Share

__all__ = [
    "DATASETS", "Cancelled", "Choices", "DataMissing", "Dataset", "Imported", "Plan", "Split", "Unclear",
    "available", "import_dataset", "load", "plan", "unknown",
]  # fmt: skip

DATASETS = {fashion_mnist.NAME: fashion_mnist.load}


def load(name: str, *, home: Path | None = None, fetch: bool = False) -> Dataset:
    """A data set by name.

    Where Fashion-MNIST is not on this machine and fetch is False, what ships stands in for it: 10,000 training
    pictures, and `complete` is False. Raises KeyError for an unknown name, DataMissing when nothing is there.
    """
    if name in DATASETS:
        try:
            return DATASETS[name](fetch=fetch)
        except DataMissing:
            shipped = ARTIFACTS / "datasets" / name
            if not (shipped / "dataset.json").is_file():
                raise
            return folder.load(shipped)
    if synthetic.PATTERN.fullmatch(name):
        return synthetic.load(name)
    imported = (home or home_dir()) / "datasets" / name
    if (imported / "dataset.json").is_file():
        return folder.load(imported)
    raise unknown(name, home)


def import_dataset(
    source: Path | str,
    name: str,
    choices: Choices | None = None,
    *,
    title: str | None = None,
    description: str = "",
    home: Path | None = None,
    new_version: bool = False,
    add: bool = False,
    progress: Progress = nobody,
    cancelled: Callable[[], bool] = never,
    share: Share | None = None,
) -> Imported:
    """Make a data set of what people bring and keep it in home, FASHION_HOME when None; see docs/datasets.md.

    name: as people write it, Rocks 2 is kept as rocks-2; title: what it is called on screen. progress(done, total,
    what) is called often, by one thread. new_version: in place of the data set of that name, with the ids of its
    classes where they are the same ones; add: after the pictures of that data set, which keep their ids and splits;
    share: has parts of it read by other processes too (docs/cluster.md).

    Raises ValueError, in words, for what cannot be read or said; FileExistsError for a name that another data set has,
    unless one of both was asked for; Cancelled once cancelled() says so; OSError, as of a full disk. After any of these
    nothing is left of it.
    """
    from ml.data import intake  # which writes by the contract of ml.artifacts, that itself needs this room

    name = intake.name_of(name)
    if name in DATASETS or synthetic.PATTERN.fullmatch(name):
        raise ValueError(f"{name!r} is the name of a data set that comes with the app; choose another")
    return intake.import_dataset(
        source, name, choices, title=title, description=description, home=home, new_version=new_version,
        add=add, progress=progress, cancelled=cancelled, share=share,
    )  # fmt: skip


def unknown(name: str, home: Path | None = None) -> KeyError:
    """What to say of a name that no data set has: how it comes back where it was put away, else those there are."""
    if back := trash.way_back(home or home_dir(), name):
        return KeyError(f"data set {name!r} was put into the trash; to bring it back: {back}")
    if name in FETCHABLE:
        return KeyError(
            f"the pictures of {name} are not on this machine; to fetch them: python -m ml data fetch {name}"
        )
    return KeyError(f"unknown data set {name!r}; known: {', '.join(available(home))}")


def available(home: Path | None = None) -> list[str]:
    """Names to choose from: built in, then imported ones whose training pictures are whole."""
    root = (home or home_dir()) / "datasets"
    imported = sorted(path.parent.name for path in root.glob("*/train.npz")) if root.is_dir() else []
    return [*DATASETS, *(name for name in imported if name not in DATASETS)]
