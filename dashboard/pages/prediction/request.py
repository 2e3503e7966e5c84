"""What is asked on this page: a picture, how it shall be prepared, and the run that shall answer."""

import math
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from dash import Input, State

from dashboard.data.run import RunData
from dashboard.format.images import single_url
from dashboard.pages.prediction import picture, preparation
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.predictor import Answer
from dashboard.state.selection import Selection
from ml.images.form import Box
from ml.images.preparation import MODES, Mode
from ml.images.preparation_variants import USUAL
from ml.inference.engines import ENGINES, offered
from ml.inference.routing import Routed

ENGINE = "prediction-engine-select"
CONTROLS = {"kept": (picture.Ids.STATE, "data"), **preparation.CONTROLS, "engine": (ENGINE, "value")}


@dataclass(frozen=True)
class Question:
    """image: uint8 [h, w, 1 or 3]; truth: class id of a picture of the data set; shown: for
    `picture.SHOW_PICTURE_JS`; options: of Predictor.predict; engine: what computes the answer of the question's own
    run."""

    run: RunData
    image: np.ndarray
    orientation: int
    truth: int | None
    shown: dict[str, Any]
    caption: str
    options: dict[str, Any]
    way: str = USUAL
    engine: str = "torch"
    origin: str = ""  # 'test 17' for a picture of the data set
    routed: Routed | None = None  # of an upload whose kind said which run is asked, among several
    sent: str = ""  # any other as it came, a data URL

    def ask(self, services: Services, run_id: str | None = None) -> Answer:
        """The answer of the question's run, or by torch of another one. Raises Missing or Broken."""
        run_id = run_id or self.run.run_id
        return services.predictor.predict(
            run_id,
            self.image,
            orientation=self.orientation,
            way=self.way,
            engine=self.engine if run_id == self.run.run_id else "torch",
            **self.options,
        )


def inputs() -> dict[str, Input]:
    """What a callback listens to that asks at once."""
    return {name: Input(*place) for name, place in CONTROLS.items()}


def states() -> list[State]:
    """The same as states, in order, for one that asks again later; then `again(services, *values)`."""
    return [State("url", "search"), *(State(*place) for place in CONTROLS.values())]


def again(services: Services, search: Any, *values: Any) -> Question | None:
    """The question of `states`; see `read`."""
    return read(services, Selection.parse(search), **dict(zip(CONTROLS, values, strict=True)))


def read(
    services: Services, selection: Selection, kept: Any, mode: Any, off: Any, hand: Any, engine: Any = None
) -> Question | None:
    """From what the browser keeps, which is read like any other upload; None where there is no picture.

    Raises uploads.Refusal, Missing or Broken.
    """
    kept = kept if isinstance(kept, dict) else {}
    if selection.sample is None and "src" not in kept:
        return None
    run, way, engine = services.store.shown(selection.run), selection.way or USUAL, engine_of(engine)
    options: dict[str, Any] = {"mode": mode_of(mode), "off": off_of(off)}
    if selection.sample is not None:
        image = run.picture(selection.split, selection.sample)
        pictures = run.pictures(selection.split)
        label = int(pictures.labels[pictures.row(selection.sample)])
        truth = label if label >= 0 else None  # -1: of a picture without a label
        address = single_url(run.picture_set, selection.split, selection.sample)
        alt = f"Image {selection.sample} of the {selection.split} set"
        caption = f"{selection.split} image {selection.sample} · {image.shape[1]} × {image.shape[0]}"
        turn, box = hand_of(hand, address)
        options |= {"turn": turn, "box": box}
        shown = picture.show(address, alt, crisp=True)
        origin = f"{selection.split} {selection.sample}"
        return Question(run, image, 1, truth, shown, caption, options, way, engine, origin=origin)
    upload = uploads.decode(uploads.from_data_url(kept["src"]))
    run, routed = asked(services, selection, run, upload)
    if engine not in offered(run.manifest) or (engine != "torch" and engine not in run.manifest["nouns"] and routed):
        engine = "torch"  # what was chosen is of the run that the page shows
    turn, box = hand_of(hand, kept["src"])
    options |= {"turn": turn, "box": box}
    # the browser has the picture already
    shown = picture.show("", "The picture you gave", crisp=max(upload.pixels.shape[:2]) <= 64)
    caption = picture.caption(kept)
    return Question(
        run, upload.pixels, upload.orientation, None, shown, caption, options, way, engine, sent=kept["src"],
        routed=routed,
    )  # fmt: skip


def asked(
    services: Services, selection: Selection, shown: RunData, upload: uploads.Picture
) -> tuple[RunData, Routed | None]:
    """The run that an upload is given to: the one that was chosen, else the one that knows its kind, among one of each
    data set; the one that the page shows where there is no choice. Raises Missing, Broken."""
    if selection.ask is not None:
        return services.store.open(selection.ask), None
    if len(services.router.ids(shown.run_id)) < 2:
        return shown, None
    routed = services.router.route(upload.pixels, shown.run_id, orientation=upload.orientation)
    if len(routed.asked) < 2:
        return services.store.open(routed.first.run_id), None
    return services.store.open(routed.first.run_id), routed


def mode_of(mode: Any) -> Mode:
    """`auto` for what is no mode."""
    return mode if isinstance(mode, str) and mode in MODES else "auto"


def engine_of(engine: Any) -> str:
    """One of ENGINES, `torch` for what is none."""
    return engine if isinstance(engine, str) and engine in ENGINES else "torch"


def off_of(off: Any) -> tuple[str, ...]:
    """Names of steps that are switched off."""
    return tuple(name for name in preparation.SWITCHES if name in off) if isinstance(off, list) else ()


def hand_of(hand: Any, source: str) -> tuple[float, Box | None]:
    """Turn and box of the picture that is shown by `source`; none for another picture's or what cannot be meant."""
    if not isinstance(hand, dict) or hand.get("of") != stamp(source):
        return 0.0, None
    turn, box = hand.get("turn"), hand.get("box")
    angle = float(turn) if _number(turn) and abs(turn) <= 360 else 0.0
    if not isinstance(box, list) or len(box) != 4 or not all(_number(end) for end in box):
        return angle, None
    left, top, right, bottom = (float(end) for end in box)
    whole = not (0 <= left < right <= 1 and 0 <= top < bottom <= 1)
    return angle, None if whole else (left, top, right, bottom)


def stamp(source: str) -> str:
    """What stands for a picture in assets/prepare.js."""
    return f"{len(source)}:{source[-48:]}"


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
