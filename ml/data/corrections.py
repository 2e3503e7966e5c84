"""Corrected training labels, frozen in a file that is named by its own content.

A training reads this file and never what people decide meanwhile, so the same name means the same labels for ever.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.data.base import Dataset
from ml.system import content_addressed


@dataclass(frozen=True)
class Corrections:
    """What is changed of a data set's training part. relabelled: example id → class id; excluded: example ids.

    against: the run whose suspects were looked at, '' for none. digest: of the pictures they are of, '' where a file is
    from before it was kept.
    """

    dataset: str
    relabelled: Mapping[int, int]
    excluded: frozenset[int] = frozenset()
    against: str = ""
    digest: str = ""

    def __len__(self) -> int:
        return len(self.relabelled) + len(self.excluded)

    def apply(self, dataset: Dataset) -> Dataset:
        """The data set with these labels and without what is excluded; what is not here is passed over.

        Raises ValueError for another data set or a class it has not.
        """
        if dataset.name != self.dataset:
            raise ValueError(f"these labels are of {self.dataset}, not of {dataset.name}")
        if self.digest and self.digest != dataset.digest:
            raise ValueError(f"these labels are of other images of {dataset.title}, which were imported anew since")
        if any(not 0 <= label < len(dataset.classes) for label in self.relabelled.values()):
            raise ValueError(f"these labels name a class that {dataset.title} has not")
        train = dataset["train"]
        labels = train.labels.copy()
        for row in np.flatnonzero(np.isin(train.ids, list(self.relabelled))):
            labels[row] = self.relabelled[int(train.ids[row])]
        kept = replace(train, labels=labels).take(~np.isin(train.ids, list(self.excluded)))
        return replace(dataset, splits={**dataset.splits, "train": kept})


def freeze(home: Path, corrections: Corrections) -> str:
    """Write them into home/labels, synced to the disk; the name. The same corrections have the same name."""
    return content_addressed.freeze(home / "labels", ".json", _content(corrections))


def read(home: Path, name: str) -> Corrections:
    """Raises named.Gone."""
    content = content_addressed.read(home / "labels", name, ".json", "corrected labels", many=True)
    record: dict[str, Any] = json.loads(content)
    return Corrections(
        record["dataset"],
        {int(example): int(label) for example, label in record["relabelled"].items()},
        frozenset(map(int, record["excluded"])),
        record["against"],
        record.get("digest", ""),
    )


def _content(corrections: Corrections) -> bytes:
    record = {
        "dataset": corrections.dataset,
        "against": corrections.against,
        "relabelled": {str(example): label for example, label in sorted(corrections.relabelled.items())},
        "excluded": sorted(corrections.excluded),
    }
    if corrections.digest:
        record["digest"] = corrections.digest
    return json.dumps(record, indent=1).encode() + b"\n"
