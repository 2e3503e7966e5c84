"""GET /glossary: the field's words on one page, each with an address of its own, /glossary#recall, and the keys.

assets/help.js reads the page for the dialog that `?` opens: `data-page` of a key, `data-spelled` of a word.
"""

import re

from flask import Flask, Response, render_template_string, request
from markupsafe import Markup, escape

from dashboard import theme
from dashboard.figures.sketches import SKETCHES
from dashboard.format.glossary import TERMS
from dashboard.format.keys import KEYS
from dashboard.services.container import Services
from ml.system.paths import ASSETS

STYLES = ("00-tokens.css", "10-layout.css", "46-help.css")
# all addresses are relative, so that they hold behind a proxy's prefix
PAGE = """<!doctype html>
<html lang="en" data-bs-theme="{{ mode }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Glossary · Fashion Forward</title><link rel="icon" href="assets/favicon.ico">
{% for style in styles %}<link rel="stylesheet" href="assets/{{ style }}">
{% endfor %}</head>
<body>
<a href="#main" class="skip">Skip to content</a>
<div class="aurora" aria-hidden="true"></div>
<header class="ff-nav"><div class="wrap"><a class="brand" href="./" aria-label="Fashion Forward, home">\
<span class="mark"></span><span class="word">Fashion Forward</span></a></div></header>
<main id="main" class="wrap page glossary" tabindex="-1">
<div class="head"><div><h1>Glossary</h1><p>The words of the field as this app uses them, and its \
<a href="#keys">keys</a>. <a href="./">Back to the app</a></p></div></div>
{% for term in terms %}<section id="{{ term.slug }}" class="ff-card" data-spelled="{{ term.spelled }}">
<h2>{{ term.word }}</h2>
{% if term.slug in sketches %}{{ sketches[term.slug].svg | safe }}
{% endif %}<p>{{ term.plain | emphasised }}</p>
{% if term.code %}<p class="quiet small">Defined in <code>{{ term.code }}</code></p>
{% endif %}{% if term.source %}<p class="quiet small">Read: {{ term.source }}</p>
{% endif %}</section>
{% endfor %}<div id="keys" class="ff-card"><h2>Keys</h2>
<dl class="keys">{% for key in keys %}<div data-page="{{ key.page }}"><dt><kbd>{{ key.caps }}</kbd></dt>\
<dd>{{ "On " ~ key.where ~ ": " if key.page else "" }}{{ key.does }}</dd></div>
{% endfor %}</dl></div></main>
</body></html>
"""


def emphasised(text: str) -> Markup:
    """Html of a sentence in which *words* are set off."""
    return Markup(re.sub(r"\*(.+?)\*", r"<em>\1</em>", str(escape(text))))


def register(server: Flask, services: Services) -> None:
    """Add GET /glossary to the server."""
    server.jinja_env.filters["emphasised"] = emphasised

    @server.get("/glossary")
    def glossary() -> Response:
        text = render_template_string(
            PAGE,
            mode=theme.mode_of(request.cookies.get(theme.COOKIE)),
            styles=[f"{name}?m={(ASSETS / name).stat().st_mtime}" for name in STYLES],
            terms=sorted(TERMS, key=lambda term: term.word.lower()),
            sketches=SKETCHES,
            keys=KEYS,
        )
        return Response(text, headers={"Vary": "Cookie"})
