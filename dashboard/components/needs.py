"""What a panel needs of a run is asked here, before any of its callbacks and tables: a panel only says it, as NEEDS.

A panel of a page is registered through `Asking`, which stands for the app. `panel_callback` makes the face of what is
lacking; what has no face changes nothing.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

from dash import Dash, Input, State
from dash.exceptions import PreventUpdate

from dashboard.exports.tables import Builder
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

log = logging.getLogger(__name__)
ADDRESSES = (("url", "search"), ("app-view-state", "data"))
Check = Callable[[Sequence[Any]], None]


class Asking:
    """The app as one panel sees it. needs: of ml.artifacts.kinds.NEEDS."""

    def __init__(self, app: Dash, services: Services, needs: Sequence[str]) -> None:
        self._app, self._services, self._needs = app, services, tuple(needs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def callback(self, *arguments: Any, **options: Any) -> Callable[[Callable], Callable]:
        """As the app's. What a run lacks, and its callback does not say itself, leaves its outputs as they are."""
        if options.get("background"):  # these are shared between apps, and capture nothing
            return self._app.callback(*arguments, **options)

        def decorate(function: Callable) -> Callable:
            @functools.wraps(function)
            def answer(*values: Any, **named: Any) -> Any:
                try:
                    return function(*values, **named)
                except (Missing, Broken) as problem:
                    log.info("%s left as it was: %s", function.__name__, problem)
                    raise PreventUpdate from problem

            self._app.callback(*arguments, **options)(answer)
            return function

        return decorate

    def check(self, inputs: Sequence[Input | State]) -> Check:
        """What raises Incapable, given the values of these, unless the run of the address does what the panel needs."""

        def checked(values: Sequence[Any]) -> None:
            search = address(inputs, values)
            if self._needs and search is not None:
                self._services.store.shown(Selection.parse(search).run).need(*self._needs)

        return checked


def address(inputs: Sequence[Input | State], values: Sequence[Any]) -> str | None:
    """The address among the values of a callback, as the page's or as a store of it holds it; None where none is."""
    for one, value in zip(inputs, values, strict=False):
        id, name = str(one.component_id), one.component_property
        store = name == "data" and id.endswith(("-state", "-asked"))
        if (id, name) not in ADDRESSES and not store:
            continue
        value = value.get("search") if isinstance(value, dict) else value
        if isinstance(value, str) and value[:1] in ("", "?"):
            return value
    return None


def asking(app: Dash, services: Services, module: ModuleType) -> Dash:
    """What a panel's `register` is given in place of the app."""
    return cast(Dash, Asking(app, services, getattr(module, "NEEDS", ())))


@functools.cache
def table(builder: Builder, needs: tuple[str, ...]) -> Builder:
    """The builder, which first asks whether the run does what its panel needs. The same for the same."""
    if not needs:
        return builder

    @functools.wraps(builder)
    def built(services: Services, selection: Selection) -> Any:
        services.store.shown(selection.run).need(*needs)
        return builder(services, selection)

    return built
