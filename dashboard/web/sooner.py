"""What Dash and Flask do at every start or every answer and hardly anybody needs: done when somebody does."""

import functools
from importlib.metadata import entry_points
from typing import Any

import orjson
from dash import Patch, _callback
from dash._hooks import HooksManager
from dash.development.base_component import Component
from flask import Flask
from plotly.io.json import to_json_plotly
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


def json_text(value: Any) -> str:
    """What plotly's to_json_plotly makes of an answer. That copies every part of it where one part is a component; here
    components alone are turned, and where there is anything else that JSON does not know, plotly is asked."""
    try:
        text = orjson.dumps(
            value, default=_turned, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        ).decode()
    except TypeError:
        return to_json_plotly(value)
    for sign in "<>/\u2028\u2029":  # as plotly does, so that nothing in it ends a script
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _turned(value: Any) -> Any:
    if isinstance(value, Component | Patch):
        return value.to_plotly_json()
    raise TypeError(type(value).__name__)


def answers() -> None:
    """Have Dash write the answers of callbacks so."""
    _callback.to_json = json_text
