"""A panel's callback: data, or the face that says why there is none; one panel's error never blanks another.

Its help is the first line of its own module, which `card` shows; words of the field are in dashboard.format.glossary.
"""

import functools
import logging
import secrets
from collections.abc import Callable
from typing import Any

from dash import Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import needs, panel_states, plain
from dashboard.services.gathering import Crowded
from dashboard.services.runs import Busy
from ml.artifacts.reader import Broken, Missing
from ml.images.decoding import Refusal
from ml.system import disk

log = logging.getLogger(__name__)


def slot(face: str, waiting: str = "") -> html.Div:
    """Where the face appears. Placed before the panel's body, which CSS hides while there is a face.

    waiting: words of the loading face that is there until the panel's first answer.
    """
    return html.Div(panel_states.loading(waiting) if waiting else None, id=face, className="face-slot")


def panel_callback(
    app: Dash,
    face: str,
    *arguments: Any,
    without: Callable[[Missing | Broken], tuple] | None = None,
    **options: Any,
) -> Callable[[Callable], Callable]:
    """app.callback for a panel. face: the id of its slot; arguments: Outputs, then Inputs and States, positional.

    The function returns its outputs (a tuple when there are several), and runs where the run of the address does what
    its panel NEEDS. Missing becomes the empty face with its command,
    Broken and Refusal the error face, anything else that with a number that is in the log; the outputs then stay, or
    are what `without` makes of a Missing or Broken.
    """
    outputs = [argument for argument in arguments if isinstance(argument, Output)]
    inputs = [argument for argument in arguments if isinstance(argument, Input | State)]
    check = app.check(inputs) if isinstance(app, needs.Asking) else None  # what the panel says that it needs

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def answer(*values: Any) -> tuple:
            still = [no_update] * len(outputs)
            try:
                if check is not None:
                    check(values)
                result = function(*values)
            except PreventUpdate:
                raise
            except (Missing, Broken) as problem:
                shown = map(placed, outputs, without(problem)) if without else still
                if isinstance(problem, Missing):
                    return (panel_states.missing(problem), *shown)
                return (panel_states.error(str(problem)), *shown)
            except Refusal as refusal:  # of a picture that the browser sent back, or did not
                return (panel_states.error(str(refusal)), *still)
            except Exception as problem:
                return (failed(problem, face), *still)
            made = result if len(outputs) > 1 else (result,)
            return (None, *map(placed, outputs, made))

        app.callback(Output(face, "children"), *outputs, *inputs, **options)(answer)
        return function

    return decorate


def failed(problem: Exception, face: str, what: str = "This panel could not be drawn.", **said: str) -> html.Div:
    """The error face of what nobody foresaw, with its number in the log. said: as in panel_states.error."""
    if disk.full(problem):
        return panel_states.error(disk.NOW)
    if isinstance(problem, Crowded | Busy):  # for the moment, and they say so
        return panel_states.error(str(problem), "Nothing is lost.")
    number = secrets.token_hex(4)
    log.error("panel %s failed, error %s", face, number, exc_info=problem)
    return panel_states.error(what, detail=f"Error {number} in the server's log.", **said)


def only(id: str) -> bool:
    """Whether the current callback was triggered by nothing but this component: one that waits while others change is
    triggered by all of them at once, and `ctx.triggered_id` is the first."""
    return {one["prop_id"].partition(".")[0] for one in ctx.triggered} == {id}


def placed(output: Output, made: Any) -> Any:
    """What goes to the browser for an output: html of no callback's as one component."""
    return plain.settled(made) if output.component_property == "children" else made
