"""Names beside an axis: what is too long for its margin is cut, and stands whole where one points at it."""

import html


def escaped(name: str) -> str:
    """A name as plotly shows it letter for letter: what reads like its markup (<b>, &amp;, %{x}) is none."""
    return html.escape(name, quote=False).replace("%{", "&#37;{")


def cut(name: str, characters: int) -> str:
    """The name, or as much of it as fits into so many characters with the sign that it goes on."""
    return name if len(name) <= characters else f"{name[: characters - 1].rstrip()}…"
