"""What the charts of the feature space show under an address, and the one in 3D as a file of its own."""

from typing import Any

import numpy as np
import plotly.io as pio

from dashboard import theme
from dashboard.figures import projection as figures
from dashboard.figures.labels import escaped
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, UNLABELLED
from ml.artifacts.reader import Broken, Missing
from ml.system.wording import quantity

COLOURS = [("true", "True class"), ("predicted", "Predicted"), ("outcome", "Right or wrong")]


class Scene:
    """What both charts of the feature space show under an address. Raises Missing or Broken."""

    def __init__(self, services: Services, search: str | None, colour: Any, mode: Any) -> None:
        self.selection = selection = Selection.parse(search)
        self.run = run = services.store.shown(selection.run).for_selection(selection)
        self.colour = colour if colour in figures.COLOUR_BY else "true"
        self.scored = selection.split != UNLABELLED
        if not self.scored:
            self.colour = "predicted"
        self.mode = theme.mode_of(mode)
        self.frame = run.projection(selection.split)
        predictions = run.predictions(selection.split)
        if len(self.frame) != len(predictions.ids):
            raise Missing(
                f"This run has no projection of {selection.split}.",
                f"python -m ml evaluate {run.run_id} --only projection",
            )
        self.rows = rows = run.sketched(selection.split)
        self.n = len(predictions.ids)
        self.ids = predictions.ids[rows]
        labels = predictions.labels[rows] if self.scored else None
        self.group = figures.indices(self.colour, labels, predictions.predicted[rows])
        self.named = figures.groups(self.colour, run.classes, self.mode)
        self.selected = run.holds(selection, rows) if selection.narrowed else None
        self.sample = row_of(self.ids, selection.sample)

    @property
    def colours(self) -> list[str]:
        return [colour for _, colour in self.named]

    @property
    def place(self) -> str:
        """Which points: while it stays the same, so do camera and zoom."""
        noun = self.run.manifest["nouns"]["projection" if self.scored else UNLABELLED]
        return f"{self.run.run_id}/{self.selection.split}/{noun['sha256'][:12]}"

    @property
    def state(self) -> dict[str, Any]:
        """Which points, and how they are shown."""
        return {
            "points": self.place,
            "view": [
                self.colour,
                self.mode,
                self.selection.with_(page=1, sort="id", sample=self.selection.sample).query(),
            ],
        }

    def change(self, drawn: Any) -> str | None:
        """From what is drawn to this: 'all', 'view' when the points stay, None when nothing differs."""
        was = drawn if isinstance(drawn, dict) else {}
        if was.get("points") != self.place:
            return "all"
        return "view" if was.get("view") != self.state["view"] else None

    def points(self, *columns: str) -> np.ndarray:
        """float32 [n, columns]"""
        return self.frame[list(columns)].to_numpy(np.float32)[self.rows]

    def beneath(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Of images without labels: where the training pictures lie on the map, float32 [m, 2], and their labels, int
        [m]; None where that is not known, or the images have labels themselves."""
        if self.scored:
            return None
        try:
            frame, known = self.run.projection("reference"), self.run.predictions("reference")
            rows = self.run.sketched("reference")
        except (Missing, Broken):
            return None
        if len(frame) != len(known.ids):
            return None
        return frame[["map_x", "map_y"]].to_numpy(np.float32)[rows], known.labels[rows]


def row_of(ids: np.ndarray, example_id: int | None) -> int | None:
    """Position of an id in ascending ids."""
    if example_id is None:
        return None
    row = int(np.searchsorted(ids, example_id))
    return row if row < len(ids) and ids[row] == example_id else None


def document(scene: Scene) -> str:
    """The 3D chart as one HTML file that needs no network."""
    predictions = scene.run.predictions(scene.selection.split)
    names = [escaped(name) for name in scene.run.classes]
    words = []
    for row, example in zip(scene.rows.tolist(), scene.ids.tolist(), strict=True):
        guess, label = int(predictions.predicted[row]), predictions.label(row)
        what = NO_LABEL if label is None else "right" if guess == label else f"is {names[label]}"
        words.append(f"<b>{names[guess]}</b> {100 * predictions.confidence[row]:.0f} %, {what}<br>#{example}")
    by = dict(COLOURS)[scene.colour].lower()
    figure = figures.standalone(
        scene.points("pca_x", "pca_y", "pca_z"),
        scene.group,
        scene.named,
        words,
        mode=scene.mode,
        variance=scene.run.manifest.get("explained_variance", ()),
        title=f"{scene.run.title}: {quantity(len(words), f'{scene.selection.split} image')} of "
        f"{scene.run.dataset['title']}, coloured by {by}",
    )
    return pio.to_html(
        figure,
        validate=False,  # the tests do
        include_plotlyjs=True,
        full_html=True,
        config={"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]},
    )
