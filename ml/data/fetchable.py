"""Data sets that others have published and that can be fetched: where each lies, in which state, and what is taken."""

from dataclasses import dataclass, field
from typing import Any

from ml.data.importing.choices import Choices


@dataclass(frozen=True)
class Published:
    """A data set that lies in a git repository. commit: 40 digits, which stand for every byte of it; folders: what is
    taken of it, each with a folder for each class; licence: as SPDX has it; side: pixels to which longer pictures are
    made smaller before they are fitted; choices: how its pictures are fitted and its splits are drawn; most: bytes that
    may come over the network; aside: what is not taken, and why, as a sentence."""

    name: str
    title: str
    address: str
    commit: str
    folders: tuple[str, ...]
    licence: str
    side: int
    choices: Choices = field(repr=False)
    most: int
    aside: str = ""

    @property
    def shown(self) -> str:
        """Where it lies, as people read it."""
        return self.address.partition("://")[2].removesuffix(".git")

    def to_json(self) -> dict[str, Any]:
        """What dataset.json says of it."""
        return {
            "address": self.address, "commit": self.commit, "licence": self.licence, "folders": list(self.folders),
            "side": self.side,
        }  # fmt: skip


CLOTHING = Published(
    "clothing-photos",
    "Clothing photos",
    "https://github.com/alexeygrigorev/clothing-dataset-small.git",
    "11961516512414bf9f6c150a832cfd21b54a6b54",
    ("train", "validation"),
    "CC0-1.0",
    256,
    Choices(
        order=("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt"),
        size=(224, 224),
        fitting="crop",
        colour=True,
    ),
    1 << 30,
    "Its folder test is left alone: networks are judged on it elsewhere.",
)
FETCHABLE = {one.name: one for one in (CLOTHING,)}
