"""Saved views: what is kept of an address, and what of it is gone when it is looked for again."""

from collections.abc import Mapping
from functools import cache

from dashboard.analysis import permalinks
from dashboard.data.store import Store
from dashboard.records.rows import Declined
from dashboard.records.views import View
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing


def of_link(store: Store, link: str, pages: Mapping[str, str]) -> dict[str, str]:
    """What `Views.save` keeps of a link, '/comparison?run=…': whole, whatever it leaves to be taken for granted.

    pages: title by path. What the link shows must be here, or it would be saved as something else. Raises Declined,
    Missing, Broken.
    """
    address, _, _ = link.partition("#")
    path, _, query = address.partition("?")
    if path not in pages:
        raise Declined("Link: a page of this app with its query, as in /insights?run=…", "link")
    asked = Selection.parse(query)
    if path == permalinks.OF_ALL_RUNS and asked.run is None:
        return _kept(path, asked, "")
    run = store.shown(asked.run)
    if gone := permalinks.lost(store, asked, run):
        offer = "Choose one of the views that the page offers, then save that."
        raise Declined(f"This link shows what is not here: {'; '.join(gone)}. {offer}", "link")
    return _kept(path, permalinks.named(store, asked, path), run.dataset["name"])


def _kept(path: str, selection: Selection, dataset: str) -> dict[str, str]:
    return {
        "page": path, "search": selection.permalink(), "dataset": dataset, "run": selection.run or "",
        "data": selection.data or "", "split": selection.split,
    }  # fmt: skip


def gone_of(store: Store):
    """gone_of(store)(view): what the view showed and cannot show any more, in words, '' where all of it is here."""

    @cache
    def lost(run: str, data: str, against: str) -> str:
        selection = Selection(run=run, data=data or None, against=against or None)
        try:
            words = permalinks.lost(store, selection, store.shown(run))
            if against and not any(entry.run_id == against for entry in store.runs()):
                words.append(f"run {permalinks.gone(store, against)}")
        except (Missing, Broken) as problem:
            words = [str(problem).rstrip(".")]
        return "; ".join(words)

    def of(view: View) -> str:
        against = Selection.parse(view.search).against or ""
        return lost(view.run, view.data, against) if view.run else ""

    return of


def titles(store: Store) -> dict[str, str]:
    """Title by name of every data set that a run here learned from."""
    learned = [entry.manifest["dataset"] for entry in store.runs() if entry.ok]
    return {one["name"]: one["title"] for one in learned}
