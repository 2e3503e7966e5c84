"""What of an address cannot hold for the run that it shows, in words."""

from dashboard.analysis import permalinks
from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.state.selection import Selection
from ml.stats.failure_modes import TAGS


def notes(store: Store, selection: Selection, *, follows_labels: bool) -> str | None:
    """Everything that was left out, or that no image can match; None where all of it holds.

    follows_labels: whether the page counts by labels as reviewed.
    """
    ignored, unmatched = list(selection.dropped), []
    if selection.labels and not follows_labels:
        ignored.append("labels as reviewed, which this page does not follow: its labels are those that came")
    try:
        run = store.shown(selection.run)
        ignored += [*of_runs(store, selection, run), *of_the_run(selection, run)]
        unmatched = filters(selection, run)
    except (LookupError, ValueError) as problem:  # no run, or a broken one
        ignored.append(str(problem).rstrip("."))
    parts = [("This address was read without", ignored), ("No image can match", unmatched)]
    return " ".join(f"{what}: {'; '.join(each)}." for what, each in parts if each) or None


def of_runs(store: Store, selection: Selection, run: RunData) -> list[str]:
    """Runs and images that are named and not here."""
    notes = permalinks.lost(store, selection, run)
    if selection.against == run.run_id:
        notes.append(f"against {run.title}, which is the run itself")
    elif selection.against and not any(entry.run_id == selection.against for entry in store.runs()):
        notes.append(f"against {permalinks.gone(store, selection.against)}")
    return notes


def of_the_run(selection: Selection, run: RunData) -> list[str]:
    """What this run does not have. Raises Missing or Broken."""
    notes = []
    if selection.epoch is not None:
        kept = run.for_selection(selection).epoch
        if kept is None:
            notes.append(f"epoch={selection.epoch}: the training of {run.title} was not recorded")
        elif kept != selection.epoch:
            notes.append(f"epoch={selection.epoch}: the answers of epoch {kept} were kept and are shown")
    for name, need in (("conf", "top-k"), ("reject", "top-k"), ("tempered", "probabilities")):
        if getattr(selection, name) and not run.can(need):
            notes.append(f"{name}: the predictions of {run.title} came without the numbers for it")
    if selection.target is not None and selection.target not in run.classes:
        notes.append(f"target={selection.target}, which is no class of {run.title}")
    if selection.contrast and not selection.other_cell(run.classes):
        notes.append(f"contrast={selection.contrast}, which is no cell of {run.title}'s matrix")
    return notes


def filters(selection: Selection, run: RunData) -> list[str]:
    """Filters that hold and match no image."""
    classes = (*selection.true, *selection.pred)
    return [
        *(f"{name}, which is no class of {run.title}" for name in classes if name not in run.classes),
        *(f"tag={tag}, which is none here" for tag in selection.tag if tag not in TAGS),
        *(f"slice={key}, which is none here" for key in selection.slice if run.slice_name(key) == key),
    ]
