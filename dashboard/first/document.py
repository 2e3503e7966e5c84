"""The page's document: what the browser gets before it asks for anything, and the Dash object that writes it."""

import functools
from collections.abc import Callable, Sequence

from dash import Dash, html
from dash.background_callback.managers import BaseBackgroundCallbackManager
from flask import request

from dashboard import theme
from dashboard.data.store import Store
from dashboard.first import keeping, screen
from dashboard.web import bundles, errors
from ml.system.paths import ASSETS

CHARTS = "05-plotly.min.js"
SOLID = "06-plotly-3d.min.js"
SOLID_FIRST = ("/insights",)  # with the 3D chart among them
DRAWN = ("/", "/comparison", "/insights", "/prediction", "/training")  # pages with charts from the start

INDEX = """<!doctype html>
<html lang="en" data-bs-theme="{theme}"{mark}>
<head>{{%metas%}}<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Fashion Forward</title>{head}<link rel="{when}" as="script" id="app-charts" href="{charts}" data-solid="{solid}">
{more}{{%favicon%}}{{%css%}}<style>{colours}</style></head>
<body>{{%app_entry%}}{{%first%}}{{%config%}}{{%scripts%}}</body>
</html>"""


class App(Dash):
    """Dash whose page comes in the reader's theme, with a colour for every class, from the first byte on, and drawn."""

    store: Store
    whole: Callable[[], html.Div]  # the frame and every page at once: all that callbacks may name
    launcher: BaseBackgroundCallbackManager
    bundles: dict[str, str]  # css, js → the file in assets/
    early: Callable[[str], Sequence[str]]  # path → how the names of the callbacks begin that its document answers
    drawn: keeping.Drawn
    inline = (screen.INLINE, screen.LAST)  # scripts of the page that its security policy lets run

    def csp_hashes(self, hash_algorithm: str = "sha256") -> Sequence[str]:
        """None: what Dash writes into the page as scripts is a file here."""
        return ()

    @functools.cached_property
    def callbacks(self) -> bytes:
        """Dash's inline scripts and the line that starts its renderer, as one script; once all are defined."""
        return bundles.inline(self._generate_scripts_html(), self.renderer)

    def interpolate_index(self, **parts: str) -> str:  # type: ignore[override]
        most = max((len(entry.manifest["dataset"]["classes"]) for entry in self.store.runs() if entry.ok), default=0)
        mode = theme.mode_of(request.cookies.get(theme.COOKIE))
        charts, solid = (f"{self.get_asset_url(file)}?m={(ASSETS / file).stat().st_mtime}" for file in (CHARTS, SOLID))
        first = (
            screen.screen(self, mode, self.early(request.path), self.drawn) if errors.wants_page() else screen.Screen()
        )
        soon = screen.LATER if first.mark else "preload"
        page = INDEX.format(
            theme=mode,
            mark=first.mark,
            head=first.head,
            when=soon if request.path in DRAWN else "prefetch",
            charts=charts,
            solid=solid,
            more=f'<link rel="{soon}" as="script" href="{solid}">' if request.path in SOLID_FIRST else "",
            colours=theme.class_variables(most),
        )
        own = {kind: self.get_asset_url(name) for kind, name in self.bundles.items()}
        parts["css"] += f'<link rel="stylesheet" href="{own["css"]}">'
        last = self.get_asset_url(bundles.named("callbacks.js", self.callbacks))
        scripts = f'<script src="{own["js"]}"></script>{bundles.used(parts["scripts"])}'
        scripts += f'<script id="_dash-renderer" src="{last}"></script>'
        parts["scripts"] = screen.later(scripts) if first.mark else scripts
        for name, text in parts.items():
            page = page.replace("{%" + name + "%}", text)
        return page.replace("{%first%}", first.body)  # last, as it holds what people wrote
