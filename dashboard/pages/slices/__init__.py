"""Where is it weak, and what to do next: groups with more mistakes than the rest, failure modes, near-duplicates."""

from dashboard.components import selection_bar
from dashboard.components.page import SELECTION, Page, Part, Row
from dashboard.pages.slices import failure_modes, near_duplicates, saved, selected, weak_slices
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.system.wording import quantity


def about(services: Services, selection: Selection) -> str:
    """Which run, how often it is wrong."""
    try:
        run = services.store.shown(selection.run)
        if selection.split == UNLABELLED:
            n = len(run.without_labels().ids)
            words = "without labels: nothing is scored, so no group is weaker than another."
            return f"{run.title} on {quantity(n, 'image')} {words}"
        right = run.predictions(selection.split).right
    except (LookupError, ValueError):
        return "No run to show."
    wrong = int((~right).sum())
    return f"{run.title} is wrong on {wrong:,} of {len(right):,} {selection.split} images: where, and why?"


PAGE = Page(
    path="/slices",
    title="Slices",
    about=about,
    split=selection_bar.splits,
    kind="slices",
    rows=(
        Part(saved.memory),
        SELECTION,
        selected,
        Row(weak_slices),
        Row(failure_modes),
        Row(saved),
        Row(near_duplicates),
    ),
)
