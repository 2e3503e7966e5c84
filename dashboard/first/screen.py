"""What the first response holds besides the scripts: the page drawn, and the answers to what it will ask."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs, urlencode

import orjson
from dash import Dash
from flask import request

from dashboard import theme
from dashboard.first import keeping, markup, played

log = logging.getLogger(__name__)
FRAME = ("app-page.", "app-dropped.", "run-picker.", "sample-drawer-")  # what every page asks
FAILED = 'class="face bad"'  # of a panel that could not be drawn
OPENED = "sample"  # in the address: what the drawer then asks may take a network
VIEW = ("run", "against", "split", "labels", "epoch")
LATER = "later"  # of a script and of what is fetched for it: not before the first frame
LATE_MS = 1000  # after which it runs all the same: nobody paints a frame that is out of sight
# Before anything is painted, and before the style sheet, which a script after it would wait for: an address that the
# browser goes back to is asked anew, the reader's own colours hold, and what is pressed before the scripts are there is
# kept for assets/02-first.js.
INLINE = """(() => {
  const root = document.documentElement, kept = window.first = [];
  const how = performance.getEntriesByType('navigation')[0];
  if (how && how.type === 'back_forward') root.removeAttribute('data-first');
  const chosen = /(^|; )theme=/.test(document.cookie);
  if (!chosen && matchMedia('(prefers-color-scheme: dark)').matches) root.dataset.bsTheme = 'dark';
  for (const kind of ['click', 'change']) {
    document.addEventListener(kind, (e) => {
      const shown = document.getElementById('app-first'), target = e.target;
      if (!shown || !shown.contains(target) || target.closest('a[href],summary')) return;
      e.stopImmediatePropagation();
      kept.push({ kind, target, value: target.value, shift: e.shiftKey, ctrl: e.ctrlKey || e.metaKey });
    }, true);
  }
})();"""
# At the end of the page, once its style is there. Scripts and charts are fetched when the first frame is on its way, as
# it would wait for them, and run once it is painted, one after the other as they stand in the page; at once where
# nothing is painted, as in a tab in the background.
LAST = """(() => {
  const later = [...document.querySelectorAll('script[type="LATER"]')];
  const fetched = () => {
    for (const { src } of later) {
      document.head.append(Object.assign(document.createElement('link'), { rel: 'preload', as: 'script', href: src }));
    }
    for (const one of document.querySelectorAll('link[rel="LATER"]')) one.rel = 'preload';
  };
  const run = () => {
    for (const one of later.splice(0)) {
      const script = document.createElement('script');
      for (const { name, value } of one.attributes) if (name !== 'type') script.setAttribute(name, value);
      script.async = false;
      one.replaceWith(script);
    }
  };
  const waits = !document.hidden && document.documentElement.hasAttribute('data-first');
  if (!waits) { fetched(); run(); return; }
  requestAnimationFrame(() => {
    fetched();
    new PerformanceObserver((seen) => { if (seen.getEntriesByName('first-contentful-paint').length) run(); })
      .observe({ type: 'paint', buffered: true });
  });
  setTimeout(run, LATE_MS);
})();""".replace("LATER", LATER).replace("LATE_MS", str(LATE_MS))


@dataclass(frozen=True)
class Screen:
    """mark: of the html element; head, body: HTML of the page's first response."""

    mark: str = ""
    head: str = ""
    body: str = ""


def screen(app: Dash, mode: str, early: Sequence[str], drawn: keeping.Drawn) -> Screen:
    """Of the current request; empty where that fails, which is logged: the page then asks as it always can.

    mode: light or dark; early: how the names of the callbacks begin that are answered at once, besides the frame's;
    drawn: what was drawn before.
    """
    try:
        made: Screen = drawn.get(mode if chosen() else "", lambda: draw(app, mode, early))
    except Exception:
        log.warning("the first screen of %s was not drawn", request.path, exc_info=True)
        return Screen()
    return made


def draw(app: Dash, mode: str, early: Sequence[str]) -> Screen:
    """The same, drawn anew. Raises keeping.Passing with it where an answer failed or a panel tells of an error."""
    query = request.query_string.decode("latin-1")
    search = f"?{query}" if query else ""
    starts = tuple(one for one in (*FRAME, *early) if not (one == "sample-drawer-" and OPENED in parse_qs(query)))
    made = played.play(app, filled(request.path, search), lambda name: name.lstrip(".").startswith(starts))
    dark = []
    if not chosen():  # the browser knows which colours the reader has, and shows and asks for these
        dark = played.again(app, made, {(theme.STATE, "data"): "dark"})
        for chart, figure in played.figures(made, dark):
            chart[markup.DARK] = figure
    drawn = markup.markup(made.tree)
    found = Screen(" data-first", head(drawn), body(made, drawn, mode, dark))
    if made.failed or FAILED in drawn:
        raise keeping.Passing(found)
    return found


def chosen() -> bool:
    """Whether the current request says which colours its reader has."""
    return request.cookies.get(theme.COOKIE) in theme.MODES


def filled(path: str, search: str) -> dict[tuple[str, str], object]:
    """What the browser fills in before the first questions, as dashboard/shell.py has it there."""
    said = parse_qs(search[1:], keep_blank_values=True)
    kept = urlencode([(name, said[name][0]) for name in VIEW if name in said])
    return {
        ("url", "pathname"): path,
        ("url", "search"): search,
        ("app-view-state", "data"): f"?{kept}",
        ("app-arrived-state", "data"): search,
        ("sample-drawer-asked", "data"): search if OPENED in said else "",
    }


def head(drawn: str) -> str:
    """The first script, and what is fetched while the page is read: Dash's first question, the first pictures."""
    fetched = f'<script>{INLINE}</script><link rel="{LATER}" as="fetch" crossorigin href="/_dash-dependencies">'
    sheet = re.search(r"url\((/sprites/[^)]+)\)", drawn)
    return fetched + (f'<link rel="preload" as="image" href="{sheet[1]}">' if sheet else "")


def body(made: played.Played, drawn: str, mode: str, dark: Sequence[played.Answer] = ()) -> str:
    """The page drawn, its layout and its answers. dark: those that are others for who likes dark, where nobody said."""
    either = " data-either" if dark else ""
    parts = [
        f'<div id="app-first" data-theme="{mode}"{either}>{drawn}</div>',
        f'<script type="application/json" id="first-layout">{scripted(made.layout)}</script>',
    ]
    others = {one.output for one in dark}
    parts += [answered(one, mode if one.output in others else "") for one in made.answers]
    parts += [answered(one, "dark") for one in dark]
    return "".join(parts)


def answered(one: played.Answer, mode: str) -> str:
    """One answer, for readers of these colours alone, '' for all."""
    asked = escape(orjson.dumps([one.output, one.values]).decode())
    whose = f' data-theme="{mode}"' if mode else ""
    return f'<script type="application/json" data-first="{asked}"{whose}>{scripted(one.body)}</script>'


def later(scripts: str) -> str:
    """Script elements that wait for the first frame, and `LAST`, which runs them.

    scripts: HTML, each with an address. Where one is no plain script all stay as they are.
    """
    tags = re.findall(r"<script [^>]*>", scripts)
    if len(tags) != scripts.count("<script") or any(" src=" not in one or " type=" in one for one in tags):
        return scripts
    return scripts.replace("<script ", f'<script type="{LATER}" ') + f"<script>{LAST}</script>"


def scripted(text: str) -> str:
    """JSON that may stand in a script element: nothing in it ends the element."""
    return text.replace("<", "\\u003c")
