"""Which examples of a run a selection means: its chips, tags, slices and outlines together."""

import functools
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from dashboard.data.groups import OWN_TAGS, RunGroups
from dashboard.data.index import CellIndex, merged
from dashboard.records.slices import PREFIX
from dashboard.state.selection import FILTERS, Selection
from dashboard.state.values import Lasso, exact
from dashboard.state.vocabulary import UNLABELLED
from ml.stats.calibration import tempered_confidence


class RunFilters(RunGroups):
    """A run whose examples can be narrowed; what is made for a selection is kept for all panels that ask for it."""

    def mask(self, selection: Selection, *, without: tuple[str, ...] = ()) -> np.ndarray:
        """bool [n], over predictions(selection.split): what every chip but those named lets through.

        For what needs to know it of every example; `rows`, `count` and `holds` cost what is selected alone. Kept for
        the panels that ask for the same: do not write to it. Raises Missing or Broken.
        """

        def draw() -> np.ndarray:
            keep = np.zeros(len(self.predictions(selection.split).ids), bool)
            keep[self.rows(selection, without=without)] = True
            keep.flags.writeable = False
            return keep

        return self._from(selection, without, "mask", draw)

    def rows(self, selection: Selection, *, without: tuple[str, ...] = ()) -> np.ndarray:
        """int [k], ascending: places in predictions(selection.split) of what every chip but those named lets through.

        Kept: do not write to it. Raises Missing or Broken.
        """

        def find() -> np.ndarray:
            rows = self._rows(selection, without)
            rows.flags.writeable = False
            return rows

        return self._from(selection, without, "rows", find)

    def count(self, selection: Selection, *, without: tuple[str, ...] = ()) -> int:
        """How many those are. Raises Missing or Broken."""
        if self._sorted_out(selection, without):
            return sum(map(len, self._pieces(selection, without)))
        return len(self.rows(selection, without=without))

    def spread(
        self, selection: Selection, place: Callable[[Any], Any], number: int, *, without: tuple[str, ...] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """int [number] twice: how many of what every chip but those named lets through, and how many of these that are
        right, have a confidence of each place; of examples without labels none is right.

        place: of float64 [k] of confidences, 0..1: 0 to number - 1, never falling. Raises Missing or Broken.
        """
        if self._sorted_out(selection, without):
            index = self.cell_index(selection.split)
            every, right = self._pieces(selection, without), self._pieces(selection, without, right=True)
            return index.spread(every, place, number), index.spread(right, place, number)
        predictions, rows = self.predictions(selection.split), self.rows(selection, without=without)
        places = np.asarray(place(predictions.confidence[rows].astype(np.float64)))
        hits = places[predictions.right[rows]] if predictions.labelled else places[:0]
        return np.bincount(places, minlength=number), np.bincount(hits, minlength=number)

    def counted(self, split: str) -> int:
        """How many examples of a split count: all but what people left out. Raises Missing or Broken."""
        predictions = self.predictions(split)
        return len(self.cell_index(split)) if predictions.labelled else len(predictions.ids)

    def _from(self, selection: Selection, without: tuple[str, ...], what: Hashable, make: Callable[[], Any]) -> Any:
        """make(), kept for as long as the same chips let the same examples through."""
        values = ((name, getattr(selection, name)) for name in FILTERS if name not in (*without, "outcome"))
        chips = [(name, tuple(value) if isinstance(value, list) else value) for name, value in values]
        outcomes = () if "outcome" in without else selection.outcomes
        held = dict(chips)
        if held.get("bucket") or any(t not in OWN_TAGS for t in held.get("tag", ())):
            return make()  # depends on another run, or on files of the data set
        if any(key.startswith(PREFIX) for key in held.get("slice", ())):
            return make()  # people can delete it
        nouns = tuple(sorted((noun, entry["sha256"]) for noun, entry in self.manifest["nouns"].items()))
        version = self.current_labels.version if self.current_labels else None
        key = (self.run_id, what, nouns, self.epoch, version, selection.split, tuple(chips), outcomes)
        return self.store.keep_mask(key, make)

    def _rows(self, selection: Selection, without: tuple[str, ...]) -> np.ndarray:
        predictions, groups = self.predictions(selection.split), self._groups(selection, without)
        if groups:  # named one by one: the others need not be looked at
            ids = functools.reduce(lambda a, b: np.intersect1d(a, b, assume_unique=True), groups)
            places = np.minimum(np.searchsorted(predictions.ids, ids), max(len(predictions.ids) - 1, 0))
            rows = places[predictions.ids[places] == ids] if len(predictions.ids) else places[:0]
        elif predictions.labelled:
            rows = np.sort(self.cell_index(selection.split).by_rank[merged(self._pieces(selection, without))])
            if self._sorted_out(selection, without):
                return rows
        else:
            rows = np.arange(len(predictions.ids))
        return rows[self._passed(selection, without, rows)]

    def holds(self, selection: Selection, rows: np.ndarray, *, without: tuple[str, ...] = ()) -> np.ndarray:
        """bool [k]: whether every chip but those named lets these through. rows: int [k], places in
        predictions(selection.split). Raises Missing or Broken."""
        keep, ids = self._passed(selection, without, rows), self.predictions(selection.split).ids[rows]
        for group in self._groups(selection, without):
            keep &= np.isin(ids, group)
        return keep

    def cell_index(self, split: str) -> CellIndex:
        """The examples of a split with labels, sorted by cell and confidence."""
        predictions, version = self.predictions(split), self.current_labels.version if self.current_labels else None

        def sort() -> CellIndex:
            return CellIndex.of(self._cells(split), predictions.confidence, predictions.kept, len(self.classes))

        return self._noun("predictions", sort, "index", split, self.epoch, version)

    def _cells(self, split: str) -> np.ndarray:
        """int [n]: of each example, label · C + predicted."""
        predictions, classes = self.predictions(split), len(self.classes)

        def count() -> np.ndarray:
            small = np.min_scalar_type(classes**2)
            return predictions.labels.astype(small) * small.type(classes) + predictions.predicted.astype(small)

        version = self.current_labels.version if self.current_labels else None
        return self._noun("predictions", count, "cells", split, self.epoch, version)

    def _sorted_out(self, selection: Selection, without: tuple[str, ...]) -> bool:
        """Whether the index alone says which examples are meant."""
        more = (name for name in ("bucket", "tempered", "tag", "slice", "ids", "lasso") if name not in without)
        return self.predictions(selection.split).labelled and not any(getattr(selection, name) for name in more)

    def _pieces(self, selection: Selection, without: tuple[str, ...], right: bool | None = None) -> list[np.ndarray]:
        """Ranks of what true, pred, outcome, conf and reject let through, in pieces. right: of those that are alone."""
        index = self.cell_index(selection.split)
        chips = {name: getattr(selection, name) for name in ("true", "pred", "conf", "reject") if name not in without}
        true, pred = (self._among(chips[name]) if chips.get(name) else None for name in ("true", "pred"))
        if len(selection.outcomes) == 1 and "outcome" not in without:
            only = selection.outcomes[0] == "right"
            if right is not None and right != only:
                return []
            right = only
        known = self.can("top-k")
        span = index.span(chips.get("conf") if known else None, chips.get("reject") if known else None)
        return index.ranked(true, pred, right, span)

    def _groups(self, selection: Selection, without: tuple[str, ...]) -> list[np.ndarray]:
        """int32, ascending, a chip each: the ids that a chip names one by one."""
        split, found = selection.split, []
        if selection.tag and "tag" not in without:
            found.append(self._any(self.tagged(split, tag, selection.against) for tag in selection.tag))
        if selection.slice and "slice" not in without:
            found.append(self._any(self.sliced(split, key) for key in selection.slice))
        if selection.ids and "ids" not in without:
            found.append(np.unique(selection.ids))
        return found

    def _passed(self, selection: Selection, without: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
        """bool [k]: whether each of these passes every chip that names no ids."""
        predictions = self.predictions(selection.split)
        keep = np.ones(len(rows), bool) if predictions.excluded is None else ~predictions.excluded[rows]
        if selection.true and "true" not in without:
            keep &= self._among(selection.true)[predictions.labels[rows]] if predictions.labelled else False
        if selection.pred and "pred" not in without:
            keep &= self._among(selection.pred)[predictions.predicted[rows]]
        if len(selection.outcomes) == 1 and "outcome" not in without:
            wanted = selection.outcomes[0] == "right"
            keep &= predictions.right[rows] == wanted if predictions.labelled else False
        if selection.buckets and "bucket" not in without and not predictions.labelled:
            keep &= False
        elif selection.buckets and "bucket" not in without:
            pair = self.store.compare(selection.with_(run=self.run_id))
            inside = np.zeros(len(predictions.ids), bool)
            inside[pair.rows_a] = pair.within(selection.buckets)
            keep &= inside[rows]
        if selection.conf and "conf" not in without and self.can("top-k"):
            keep &= between(predictions.confidence[rows], selection.conf)
        if selection.tempered and "tempered" not in without and self.can("probabilities"):
            keep &= between(self.tempered(selection.split)[rows], selection.tempered)
        if selection.reject and "reject" not in without and self.can("top-k"):
            keep &= predictions.confidence[rows].astype(np.float64) >= selection.reject
        if selection.lasso and "lasso" not in without:
            left = np.flatnonzero(keep)
            keep[left] = inside_outline(self.plane(selection.split, selection.lasso.plot), rows[left], selection.lasso)
        return keep

    def class_ids(self, names: tuple[str, ...]) -> list[int]:
        """Ids of the names this run has."""
        return [self.classes.index(name) for name in names if name in self.classes]

    def _among(self, names: tuple[str, ...]) -> np.ndarray:
        """bool [C]: whether a class is among these names."""
        return np.isin(np.arange(len(self.classes)), self.class_ids(names))

    def plane(self, split: str, plot: str) -> np.ndarray:
        """float [n, 2]: where each example lies on a chart that can be drawn on. Raises Missing or Broken."""
        if plot == "data-map":
            recording = self.epochs(split)
            return 100 * np.column_stack([recording.spread, recording.mean]).astype(np.float64)
        return self.projection(split)[["map_x", "map_y"]].to_numpy()

    def tempered(self, split: str) -> np.ndarray:
        """float64 [n]: the confidence after temperature scaling, in the order of predictions(split)."""

        def scale() -> np.ndarray:
            return tempered_confidence(self.predictions(split).probabilities, self.temperature())

        noun = UNLABELLED if split == UNLABELLED else "predictions"
        return self._noun("calibration", scale, "confidence", self.manifest["nouns"][noun]["sha256"], split, self.epoch)


def between(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """bool [n]: low < value ≤ high, as the bins of a histogram hold them; from 0 on where low is 0."""
    low, high = (exact(end) for end in ends)
    wide = values.astype(np.float64)
    return ((wide > low) | (low == 0)) & (wide <= high)


def inside_outline(points: np.ndarray, rows: np.ndarray, lasso: Lasso) -> np.ndarray:
    """bool [k]: whether those rows of points, float [n, 2], lie within what was drawn around them."""
    import shapely  # 3 MB that only a lasso needs

    outline = shapely.make_valid(shapely.Polygon(lasso.vertices))
    shapely.prepare(outline)
    x, y = points[rows, 0], points[rows, 1]
    left, low, right, high = outline.bounds
    inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
    near = np.flatnonzero(inside)
    inside[near] = shapely.contains_xy(outline, x[near], y[near])
    return inside
