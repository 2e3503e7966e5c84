"""What Dash and Flask do at every start and hardly anybody needs: done when somebody does. A seventh of the start."""

import functools
from importlib.metadata import entry_points
from typing import Any

from dash._hooks import HooksManager
from flask import Flask
from werkzeug.routing import Rule


class LateRule(Rule):
    """An address whose way back, from an endpoint to its text, is compiled when it is first asked for."""

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        make = functools.cache(lambda: Rule._compile_builder(self, append_unknown))
        return lambda rule, *parts, **values: make()(rule, *parts, **values)


class Server(Flask):
    """Flask with such addresses."""

    url_rule_class = LateRule


def hooks() -> None:
    """Load what other packages hook into Dash, asking for those alone: Dash reads what every package declares."""
    if not HooksManager._registered:
        for entry in entry_points(group="dash_hooks"):
            entry.load()
        HooksManager._registered = True
