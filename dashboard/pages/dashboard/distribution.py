"""Bars are predicted classes, ticks the labelled ones (without labels, train's shares); right, the gap."""

import numpy as np
from dash import Dash, html

from dashboard import theme
from dashboard.analysis.class_parts import Part
from dashboard.components import card, class_bars
from dashboard.components.class_bars import Bars
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import distribution as figure
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.state.vocabulary import UNLABELLED
from ml.system.wording import quantity

ID = "dashboard-distribution"
PRIOR = ("vs train", "No labels: the ticks are what there would be if classes were as frequent as in train.")


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars in class order; of many classes by the gap."""
    tools = class_bars.tools(ID, [("selection", "Selection"), ("all", "All")], "Counted images")
    return card("Class distribution", __doc__, class_bars.layout(ID), tools=tools, id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but predicted, which is this panel's own; or over the whole split."""

    def draw(selection: Selection, counted: str, mode: str, part: Part) -> Bars:
        run = services.store.shown(selection.run).for_selection(selection)
        guesses, truths = run.distribution(selection, whole=counted == "all")
        listed = part.of(run.classes, order(guesses, truths))
        rows, colours = listed.places, theme.class_colours(mode, len(run.classes))
        guesses, truths, shown = guesses[rows], truths[rows], [run.classes[i] for i in rows]
        scored = selection.split != UNLABELLED
        drawn = figure.bars(
            guesses,
            truths,
            shown,
            colours=[colours[i] for i in rows],
            chosen=selection.pred,
            mode=mode,
            ticks="are" if scored else "would be, were they as in train:",
        )
        names, values = [], []
        for name, guessed, true in zip(shown, guesses.tolist(), truths.tolist(), strict=True):
            words = f"{name} predicted {quantity(guessed, 'time')}, "
            words += f"true {quantity(true, 'time')}" if scored else f"{true} expected by its share of train"
            names.append(class_bars.name_button(selection.explicit(), "pred", name, words))
            values.append((f"{guessed:,}", gap(guessed - true)))
        return Bars(drawn, names, values, listed=listed, note=None if scored else PRIOR)

    class_bars.register(app, ID, "pred", "distribution", draw, choice=True)


def order(guesses: np.ndarray, truths: np.ndarray) -> list[int]:
    """Class ids as they are; of many those predicted most too often come first, those most too rarely last."""
    if len(guesses) <= MANY_CLASSES:
        return list(range(len(guesses)))
    places: list[int] = np.argsort(truths - guesses, kind="stable").tolist()
    return places


def gap(difference: int) -> str:
    """'+3', '−4' or '±0'."""
    return f"{'+' if difference > 0 else '−' if difference < 0 else '±'}{abs(difference):,}"


def csv_rows(run: RunData, selection: Selection) -> Table:
    """How often each class was guessed and was the truth, under every chip but predicted."""
    guesses, truths = run.distribution(selection)
    second = "true" if selection.split != UNLABELLED else "as in train"
    return ["class", "guessed", second], [
        [name, int(g), int(t)] for name, g, t in zip(run.classes, guesses, truths, strict=True)
    ]


TABLES = {"distribution": of_run(csv_rows)}
