"""Every data set as CSV, and how many pictures of each class one of them has."""

from dashboard.data import datasets
from dashboard.data.datasets import DataSet
from dashboard.exports.tables import Table
from dashboard.services.container import Services

COUNTED = ("train", "validation", "test", "unlabelled")


def table(services: Services) -> Table:
    """One row a data set."""
    head = ["dataset", "title", "classes", "height", "width", "channels", *COUNTED, "bytes", "runs", "digest"]
    rows = []
    for one in datasets.listing(services.store.library, services.store.runs()):
        if one.problem:
            continue
        counts = [one.counts.get(split, 0) for split in COUNTED]
        rows.append([one.name, one.title, len(one.classes), *one.shape, *counts, one.bytes, len(one.runs), one.digest])
    return head, rows


def classes(one: DataSet) -> Table:
    """One row a class. Raises Missing."""
    counts = datasets.class_counts(one)
    rows = [[name, *(counts[split][i] for split in counts)] for i, name in enumerate(one.classes)]
    return ["class", *counts], rows
