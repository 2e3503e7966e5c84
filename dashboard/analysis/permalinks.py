"""Links for good: a view with everything it is of, and what is the nearest to one that cannot be shown any more."""

from dataclasses import dataclass

from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import PAIRED
from ml.artifacts.reader import Broken, Missing, RunEntry

ABOUT_TWO = (*PAIRED, "/robustness")  # pages that show a second run, chosen where the address names none
OF_ALL_RUNS = "/feedback"  # the page on which a run narrows the list, so that none is taken for granted
OFFERED = 3


@dataclass(frozen=True)
class Offer:
    """Another view that is here. words: of its button; selection: its address; path: '' for the same page."""

    words: str
    selection: Selection
    path: str = ""


def named(store: Store, selection: Selection, path: str = "/") -> Selection:
    """The selection with what its page takes for granted: run, digest of the pictures, the run it is held against.

    Defaults change: another run is promoted, a better one is trained. What cannot be told stays away.
    """
    if path == OF_ALL_RUNS and selection.run is None:
        return selection
    try:
        run = store.shown(selection.run)
    except (Missing, Broken):
        return selection
    known = {"run": run.run_id, "data": run.picture_set[1] or None}
    if path in ABOUT_TWO or about_two(selection):
        try:
            known["against"] = store.other(run, selection.against).run_id
        except (Missing, Broken):
            known["against"] = selection.against
    kept = ("page", "sample", "way", "edits", "ask")  # which another run would not keep, and this one is named alone
    return selection.with_(**known, **{name: getattr(selection, name) for name in kept})


def about_two(selection: Selection) -> bool:
    """Whether a second run says which images these are, or what they are held against, on whatever page."""
    return bool(selection.bucket) or selection.versus == "run" or "runs-disagree" in selection.tag


def lost(store: Store, selection: Selection, run: RunData) -> list[str]:
    """What a link showed that is not here, in words. run: what is shown instead, or the run itself."""
    words, here = [], run.picture_set[1]
    if selection.run not in (None, run.run_id):
        words.append(f"run {gone(store, selection.run)}; {run.title} is shown")
    if selection.data and selection.data != here:
        now = f"those of {run.title} are version {here[:8]} now" if here else f"those of {run.title} are not here"
        words.append(
            f"data={selection.data[:8]}, another version of the images: {now}, and the same ids may be other images"
        )
    return words


def gone(store: Store, run_id: str) -> str:
    """A run that is named and not here, in words: whether it can be had again."""
    back = "was deleted and can be brought back on Training"
    return f"{run_id}, which {back if store.marks().of(run_id).deleted else 'is not here (any more)'}"


def offers(store: Store, selection: Selection, run: RunData) -> list[Offer]:
    """The nearest views that are here, the nearest first; none for a link whose runs and images are here."""
    here = run.picture_set[1]
    run_gone = selection.run not in (None, run.run_id)
    other = selection.against
    other_gone = bool(other) and not any(entry.run_id == other for entry in store.runs())
    data_gone = selection.data is not None and selection.data != here
    made, split = [], selection.split
    for named, missing in ((selection.run, run_gone), (other, other_gone)):
        if named and missing and store.marks().of(named).deleted:
            made.append(Offer(f"Bring {named} back on Training", Selection(), "/training"))
    if not run_gone and not data_gone:
        return made
    digests = {entry.run_id: store.digest_of(entry.manifest["dataset"]) for entry in usable(store)}
    same = [entry for entry in usable(store) if selection.data and digests[entry.run_id] == selection.data]
    same.sort(key=lambda entry: (entry.run_id != run.run_id, -validated(entry)))
    for entry in same[:OFFERED]:
        title = store.marks().title(entry.run_id)
        changed = selection.with_(run=entry.run_id, data=selection.data, sample=selection.sample)
        made.append(Offer(f"The same {split} images, by {title}", changed))
    if not any(offer.selection.run == run.run_id for offer in made):
        changed = selection.with_(run=run.run_id, data=here or None, sample=None)
        which = " as they are now" if data_gone and not run_gone else ""
        made.append(Offer(f"{run.title} on its own {split} images{which}", changed))
    return made


def usable(store: Store) -> list[RunEntry]:
    """Runs that can be shown and are not archived."""
    marks = store.marks()
    return [entry for entry in store.runs() if entry.ok and not marks.of(entry.run_id).archived]


def validated(entry: RunEntry) -> float:
    """Accuracy on validation; nothing for a run that came without it."""
    result = entry.manifest["results"].get("validation", {"correct": 0, "n": 0})
    return result["correct"] / max(result["n"], 1)


def unnamed(selection: Selection, arrived: str | None, run: RunData) -> str:
    """The note on an address that came from elsewhere with a view and without its run; '' for any other.

    arrived: the address that the reader came with.
    """
    said = {name for name, _ in selection.items()} - {"dataset", "page"}  # which no run has a part in
    shared = arrived is not None and Selection.parse(arrived) == selection and bool(said)
    if selection.run is not None or not shared:
        return ""
    return (
        f"This link names no run, so it shows the one in use, {run.title}. Another one may have been in use when it "
        "was made. Links copied here name their run and images."
    )
