"""Adversarial accuracy: per cent named right when every pixel may move by ε. Click a point for images that flip."""

from typing import Any

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis import robustness
from dashboard.analysis.robustness import Cell, Table
from dashboard.components import card, clicks, csv_link, plain
from dashboard.components.panel import panel_callback
from dashboard.exports.tables import of_services
from dashboard.figures import attacks as figure
from dashboard.figures.attacks import Line
from dashboard.format.csv import table_url
from dashboard.pages.robustness import cells
from dashboard.services.container import Services
from dashboard.state.selection import Selection

NEEDS = ("gradients",)
ID = "robustness-curves"


def layout(services: Services, selection: Selection) -> html.Article:
    """Chart or table."""
    body = cells.chart_or_table(ID, figure.HEIGHT, scrolls=True)
    return card("Under attack", __doc__, body, tools=cells.tools(ID, "View of the attacks"))


def register(app: Dash, services: Services) -> None:
    """Drawn from what was measured; a click becomes a new address."""

    @panel_callback(
        app,
        f"{ID}-face",
        Output(f"{ID}-graph", "figure"),
        plain.children(f"{ID}-table"),
        Output(f"{ID}-note", "children"),
        Output(f"{ID}-csv", "children"),
        Input(cells.STATE, "data"),
        Input(theme.STATE, "data"),
    )
    def draw_curves(state: Any, mode: Any):
        selection = cells.read(state)
        evaluation = robustness.attacks(services.store, selection)
        named = [(line, cell) for line, row in enumerate(rows(evaluation)) for cell in row[1]]
        chosen = next(((i, cell.degree) for i, cell in named if cell.address == selection.under), None)
        return (
            figure.curves(lines(evaluation), chosen=chosen, mode=theme.mode_of(mode)),
            table(evaluation, selection),
            note(evaluation) + alone(services, evaluation, selection),
            csv_link(table_url("attacks", selection)),
        )

    def clicked_cell(selection: Selection, click: object) -> Cell | None:
        curve, step = clicks.number(click, "curveNumber"), clicks.number(click, "x")
        if curve is None or step is None:
            return None
        return clicked(robustness.attacks(services.store, selection), curve, step)

    cells.register_view(app, ID, clicked_cell)


def rows(evaluation: Table) -> list[tuple[str, list[Cell]]]:
    """(title, cells) of each line that opens images, which are those of the first run."""
    return [(robustness.title(name), evaluation.of(name)) for name in evaluation.names]


def lines(evaluation: Table) -> list[Line]:
    """The first run's lines, then the other's."""
    made = []
    for letter, colour, cells_of in (("A ", "run_a", evaluation.cells), ("B ", "run_b", evaluation.theirs)):
        for name in dict.fromkeys(cell.name for cell in cells_of):
            mine = sorted((cell for cell in cells_of if cell.name == name), key=lambda cell: cell.degree)
            made.append(
                Line(
                    f"{letter if evaluation.other is not None else ''}{robustness.title(name)}",
                    [cell.degree for cell in mine],
                    [cell.share.value for cell in mine],
                    [cell.share.ends[0] for cell in mine],
                    [cell.share.ends[1] for cell in mine],
                    [cells.hover(cell, paired=False) for cell in mine],
                    colour=colour if evaluation.other is not None else "accent",
                    dashed=name == "fgsm",
                )
            )
    return made


def clicked(evaluation: Table, curve: float, step: float) -> Cell | None:
    """The cell of a point; the first run's alone, whose images can be shown, and none where nothing was changed."""
    drawn = lines(evaluation)
    place = int(curve) - len(drawn)  # before the lines come their bands
    steps = sorted({epsilon for line in drawn for epsilon in line.epsilon})
    if not 0 <= place < len(evaluation.names) or not 0 <= step < len(steps):
        return None
    degree = steps[int(step)]
    return next((cell for cell in evaluation.of(evaluation.names[place]) if cell.degree == degree and degree), None)


def table(evaluation: Table, selection: Selection) -> html.Div:
    """The keyboard's curves."""
    steps = sorted({cell.degree for cell in evaluation.cells})
    heads = [f"{step:g}" for step in steps]
    name = "Per cent right by attack and reach"
    return cells.table(rows(evaluation), heads, "ε of 255 →", selection, name=name, opens=lambda cell: cell.degree > 0)


def note(evaluation: Table) -> str:
    """How many, and which is which."""
    n = sorted({cell.share.n for cell in evaluation.cells})
    words = f"n = {' to '.join(f'{one:,}' for one in n)}, a stratified part of test; bands: 95 % interval."
    if evaluation.other is not None:
        words += f" A is {evaluation.run.title}, B {evaluation.other.title}; a point of A opens its images."
    return f"{words} PGD takes many small steps, FGSM one; ε = 1/255 is one level of a picture."


def alone(services: Services, evaluation: Table, selection: Selection) -> str:
    """Why the run beside it is not drawn, '' where it is, or where there is none."""
    rival = robustness.other(services.store, selection, evaluation.run)
    if rival is None or evaluation.other is not None:
        return ""
    return f" {rival.title} is not shown: its network gives its answers alone, and an attack needs gradients."


TABLES = {"attacks": of_services(robustness.attack_rows, beside=robustness.other)}
