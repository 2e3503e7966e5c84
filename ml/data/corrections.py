"""Corrected training labels, frozen in a file that is named by its own content.

A training reads this file and never what people decide meanwhile, so the same name means the same labels for ever.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.data.base import UNLABELLED, Dataset, Split
from ml.data.images import joined
from ml.system import content_addressed


@dataclass(frozen=True)
class Corrections:
    """What is changed of a data set's training part. relabelled: example id → class id; excluded: example ids.

    labelled: example id → class id, of pictures that came without a label and are learned from.

    against: the run whose suspects were looked at, '' for none. digest: of the pictures they are of, '' where a file is
    from before it was kept.
    """

    dataset: str
    relabelled: Mapping[int, int]
    excluded: frozenset[int] = frozenset()
    against: str = ""
    digest: str = ""
    labelled: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.relabelled) + len(self.excluded) + len(self.labelled)

    def apply(self, dataset: Dataset) -> Dataset:
        """The data set with these labels and without what is excluded; what is not here is passed over.

        Raises ValueError for another data set or a class it has not.
        """
        if dataset.name != self.dataset:
            raise ValueError(f"these labels are of {self.dataset}, not of {dataset.name}")
        if self.digest and self.digest != dataset.digest:
            raise ValueError(f"these labels are of other images of {dataset.title}, which were imported anew since")
        if any(not 0 <= label < len(dataset.classes) for label in (*self.relabelled.values(), *self.labelled.values())):
            raise ValueError(f"these labels name a class that {dataset.title} has not")
        train = dataset["train"]
        labels = train.labels.copy()
        for row in np.flatnonzero(np.isin(train.ids, list(self.relabelled))):
            labels[row] = self.relabelled[int(train.ids[row])]
        kept = replace(train, labels=labels).take(~np.isin(train.ids, list(self.excluded)))
        return self._with_labelled(replace(dataset, splits={**dataset.splits, "train": kept}))

    def _with_labelled(self, dataset: Dataset) -> Dataset:
        """With the pictures that came without a label and have one now behind those of train, and no longer among
        those without."""
        rest = dataset.splits.get(UNLABELLED)
        found = np.isin(rest.ids, list(self.labelled)) if rest is not None else np.zeros(0, bool)
        if rest is None or not found.any():
            return dataset
        train, more = dataset["train"], rest.take(np.flatnonzero(found))
        labels = np.array([self.labelled[int(example)] for example in more.ids], train.labels.dtype)
        learned = Split(
            joined(train.images, np.asarray(more.images)),
            np.concatenate([train.labels, labels]),
            np.concatenate([train.ids, more.ids]),
        )
        return replace(
            dataset, splits={**dataset.splits, "train": learned, UNLABELLED: rest.take(np.flatnonzero(~found))}
        )


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
        {int(example): int(label) for example, label in record.get("labelled", {}).items()},
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
    if corrections.labelled:
        record["labelled"] = {str(example): label for example, label in sorted(corrections.labelled.items())}
    return json.dumps(record, indent=1).encode() + b"\n"
