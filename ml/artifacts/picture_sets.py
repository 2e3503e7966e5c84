"""The pictures of data sets, as they are now and as runs saw them: a version that runs learned from stays beside the next.

`datasets/<name>/` is a data set as it is now; `datasets/.versions/<name>-<digest>/` as it was before it was imported
anew. One that ships without its pictures is described in `artifacts` and lies in `home` once they are fetched.
"""

import os
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.artifacts import checking, identity
from ml.artifacts.checking import UNREADABLE
from ml.artifacts.opening import Broken, Missing, first_line, table
from ml.artifacts.schema import PICTURE_NOUNS, RUN_ID, SPLITS
from ml.data import images
from ml.data.base import UNLABELLED, digest, same_pictures
from ml.data.images import AnyImages
from ml.system import trash
from ml.system.wording import are, quantity

SHIPPED = "fashion-mnist"  # the data set whose pictures ship
VERSIONS = ".versions"


@dataclass(frozen=True)
class Pictures:
    """images: uint8 [n, h, w, c], of a data set of one's own read when asked for (ml.data.images); labels: int64 [n];
    ids: int32 [n], ascending."""

    images: AnyImages
    labels: np.ndarray
    ids: np.ndarray

    def row(self, example_id: int) -> int:
        """Position of an example; raises Missing."""
        row = int(np.searchsorted(self.ids, example_id))
        if row >= len(self.ids) or self.ids[row] != example_id:
            raise Missing(f"There is no picture {example_id} in this split.")
        return row


STAMPED = ("dataset.json", *(f"{split}.npz" for split in SPLITS))


class PictureSets:
    """Shipped ones in `artifacts`, own ones in `home`. version: '' for a data set as it is now, else the digest of one
    that is kept."""

    def __init__(self, artifacts: Path, home: Path) -> None:
        self.artifacts, self.home = artifacts, home
        # folder → what its files looked like, and what they are
        self._picture_sets: dict[Path, tuple[tuple, identity.PictureSet]] = {}

    def _folders(self, dataset: str, version: str = "") -> list[Path]:
        """Where its files may lie, what goes first."""
        if not RUN_ID.fullmatch(dataset):
            return []
        if version:
            return [self.home / "datasets" / VERSIONS / f"{dataset}-{version}"]
        return [root / "datasets" / dataset for root in (self.artifacts, self.home)]

    def picture_set(self, dataset: str, version: str = "") -> identity.PictureSet:
        """What stands for the pictures of a data set; cheap enough for every picture."""
        for folder in self._folders(dataset, version):
            place = os.fspath(folder)  # text: three times as fast as Path
            stamp = tuple(identity.stamp(os.path.join(place, name)) for name in STAMPED)
            if stamp[1:] == (None,) * len(SPLITS):
                continue
            if self._picture_sets.get(folder, ((), identity.PictureSet()))[0] != stamp:
                self._picture_sets[folder] = (stamp, identity.picture_set(folder, stamp))
            return self._picture_sets[folder][1]
        return identity.PictureSet()

    def version_of(self, description: Mapping[str, Any]) -> str:
        """The version that a manifest describes: '' where it is the one of now, or where nobody can tell.

        Raises Missing where others are here under its name, and that one is not kept.
        """
        name = description["name"]
        now = self.picture_set(name).described
        if not now or same_pictures(description, now):
            return ""
        version = digest(description)
        if self.picture_set(name, version).digest:
            return version
        raise _anew(name)

    def folder_of(self, description: Mapping[str, Any]) -> Path:
        """Where the pictures that a manifest describes lie. Raises Missing."""
        folders = self._folders(description["name"], self.version_of(description))
        return next((one for one in folders if (one / "test.npz").is_file()), folders[-1])

    def fetchable(self, dataset: str) -> bool:
        """Whether it ships without its pictures, which lie where others have published them."""
        folder = self.artifacts / "datasets" / dataset
        return bool(RUN_ID.fullmatch(dataset)) and (folder / PICTURE_NOUNS["files"].file).is_file()

    def way_to(self, dataset: str) -> str:
        """The command that brings the pictures of a data set that are not here."""
        if dataset == SHIPPED:
            return "python -m ml artifacts --pictures"
        if self.fetchable(dataset):
            return f"python -m ml data fetch {dataset}"
        return f"python -m ml data import FOLDER --name {dataset}"

    def pictures(self, dataset: str, split: str, version: str = "") -> Pictures:
        """One split of a data set's pictures; those of `unlabelled` have the label -1. Raises Missing or Broken."""
        if not RUN_ID.fullmatch(dataset) or split not in (*SPLITS, UNLABELLED, "twins"):
            raise Missing(f"There are no pictures of {split!r} here.")
        for folder in self._folders(dataset, version):
            path = folder / f"{split}.npz"
            if os.path.lexists(path):
                try:
                    checking.pictures(path)
                    return Pictures(*images.read(path.parent, split))
                except UNREADABLE as error:
                    raise Broken(f"the {split} pictures of {dataset} cannot be read: {first_line(error)}") from error
        if split == UNLABELLED and self.picture_set(dataset, version).digest:
            raise Missing(f"All pictures of {dataset} have a label.")
        self._check_kept(dataset)
        raise Missing(f"The {split} pictures of {dataset} are not on this machine.", self.way_to(dataset))

    def _check_kept(self, dataset: str) -> None:
        """Raise Missing with the way back where a data set that is not here was put into the trash."""
        if back := trash.way_back(self.home, dataset):
            raise Missing(f"The pictures of {dataset} were put into the trash.", back)

    def check_whole(self, description: Mapping[str, Any]) -> None:
        """Raise Missing where fewer pictures are here than a manifest counts, since some that were fetched were left
        out."""
        name, now = description["name"], self.picture_set(description["name"]).described
        left, counts = now.get("absent", 0), now.get("counts")
        if left and counts != description.get("counts"):
            words = (
                f"{quantity(left, 'picture')} of {name} {are(left)} not here, so that nothing is counted over them all."
            )
            raise Missing(words, self.way_to(name))

    def check_pictures(self, description: Mapping[str, Any]) -> None:
        """Raise Missing where the pictures of now are others than those a manifest describes under the same name."""
        name, now = description["name"], self.picture_set(description["name"]).described
        if now and not same_pictures(description, now):
            raise _anew(name)

    def about(self, dataset: str, noun: str, version: str = "") -> pd.DataFrame:
        """properties or duplicates of a data set's pictures, checked. Raises Missing (with its command) or Broken."""
        declared = PICTURE_NOUNS[noun]
        for folder in reversed(self._folders(dataset, version)):  # one's own is newer
            path = folder / declared.file
            if os.path.lexists(path):
                return table(path, declared, dataset)
        if not self.picture_set(dataset, version).digest:
            self._check_kept(dataset)
        raise Missing(f"The pictures of {dataset} have no {noun} yet.", f"python -m ml data measure {dataset}")

    def versions(self) -> list[Path]:
        """The folders of all versions that are kept."""
        try:
            return sorted(one for one in (self.home / "datasets" / VERSIONS).iterdir() if one.is_dir())
        except OSError:
            return []

    def purge_versions(self, used: Collection[str], now: float | None = None) -> None:
        """Throw away for good the versions that no run learned from and that were put aside as long ago as the trash
        keeps things. used: names of their folders that stay; now: seconds since 1970."""
        limit = (time.time() if now is None else now) - trash.KEPT_DAYS * 86_400
        for folder in self.versions():
            if folder.name not in used and not folder.is_symlink() and folder.stat().st_ctime < limit:
                shutil.rmtree(folder, ignore_errors=True)


def _anew(name: str) -> Missing:
    """What is said of a run whose pictures others took the place of."""
    words = f"The images of {name} were imported anew after this run learned from them."
    return Missing(words, f"python -m ml train --dataset {name}")


def put_aside(home: Path, name: str, description: Mapping[str, Any]) -> Path:
    """Where a data set goes that another version takes the place of; the folder it is in is made."""
    target = home / "datasets" / VERSIONS / f"{name}-{digest(description)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
