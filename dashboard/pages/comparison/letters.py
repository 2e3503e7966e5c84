"""The letters that stand for the two runs, in their colours."""

from dash import html


def letter(which: str) -> html.Span:
    """which: a or b."""
    return html.Span(which.upper(), className=f"letter {which}")
