"""A small Dash app with every kind of callback, behind the real guards and the real server; no run, no torch.

`python -m tests.sample_app --port N` serves it.
"""

import json
import sys
import time

import numpy as np
import plotly.graph_objects as go
from dash import ALL, ALLSMALLER, MATCH, Dash, Input, Output, State, ctx, dcc, html, set_props
from flask import request

from dashboard.web import compression, errors, security, server

PAGES = ("/", "/other")


def build(read_only: bool = False) -> Dash:
    """A fresh, guarded app that has not answered a request yet."""
    app = Dash("sample", update_title=None, on_error=errors.on_error)
    app.index_string = app.index_string.replace("<body>", "<body><script>window.inline = 1</script>")
    app.layout = html.Div(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="store", data=1),
            html.Div(id=errors.NOTICE, role="status"),
            *[html.Button(f"button {i}", id={"type": "button", "index": i}) for i in range(3)],
            *[html.Div(id={"type": "out", "index": i}) for i in range(3)],
            html.Button("dotted", id={"type": "odd", "name": "dé.é x"}),
            html.Button("go", id="go"),
            html.Button("fail", id="fail"),
            dcc.Input(id="text"),
            dcc.Upload("upload", id="upload"),
            dcc.Interval(id="tick", interval=200, max_intervals=2),
            *[
                html.Div(id=f"{name}-out")
                for name in ("all", "two", "group", "text", "upload", "client", "tick", "fail")
            ],
            dcc.Graph(id="cloud"),
        ]
    )

    @app.callback(Output("all-out", "children"), Input({"type": "button", "index": ALL}, "n_clicks"))
    def show_all(clicks):
        return json.dumps([clicks, ctx.triggered_id])

    @app.callback(
        Output({"type": "out", "index": MATCH}, "children"),
        Input({"type": "button", "index": MATCH}, "n_clicks"),
        State({"type": "button", "index": MATCH}, "id"),
    )
    def show_match(clicks, identity):
        return f"{identity['index']}: {clicks}"

    @app.callback(
        Output({"type": "out", "index": MATCH}, "title"),
        Input({"type": "button", "index": ALLSMALLER}, "n_clicks"),
        Input({"type": "button", "index": MATCH}, "n_clicks"),
    )
    def show_smaller(smaller, clicks):
        return f"{smaller} {clicks}"

    @app.callback(Output({"type": "out", "index": ALL}, "className"), Input("go", "n_clicks"))
    def show_classes(clicks):
        return ["went" if clicks else ""] * 3

    @app.callback(Output("two-out", "children"), Input("go", "n_clicks"))
    def show_one(clicks):
        return f"one {clicks}"

    @app.callback(
        Output("two-out", "children", allow_duplicate=True),
        Output("two-out", "title"),
        Input("text", "n_submit"),
        prevent_initial_call=True,
    )
    def show_two(times):
        return f"two {times}", "title"

    @app.callback(
        output={"first": Output("group-out", "children"), "rest": [Output("group-out", "title")]},
        inputs={"clicks": Input("go", "n_clicks"), "more": (Input("url", "search"), State("store", "data"))},
    )
    def show_group(clicks, more):
        return {"first": f"{clicks} {more[0]}", "rest": [str(more[1])]}

    @app.callback(Input("go", "n_clicks"), prevent_initial_call=True)
    def say_nothing(clicks):
        set_props("group-out", {"lang": "en"})

    @app.callback(
        Output("text-out", "children"),
        Input({"type": "odd", "name": ALL}, "n_clicks"),
        Input("text", "value"),
        Input("absent", "value", allow_optional=True),
    )
    def show_text(clicks, text, _):
        return f"{clicks} {text} {ctx.triggered_id and ctx.triggered_id['name'] if clicks[0] else ''}"

    @app.callback(
        Output("upload-out", "children"),
        Output("upload", "contents"),
        Input("upload", "contents"),
        State("upload", "filename"),
        prevent_initial_call=True,
    )
    def show_upload(contents, name):
        return (f"{name} {len(contents)}" if contents else ""), None

    @app.callback(
        Output("tick-out", "children"), Input("tick", "n_intervals"), running=[(Output("go", "title"), "busy", "")]
    )
    def show_tick(count):
        return count

    @app.callback(Output("fail-out", "children"), Input("fail", "n_clicks"), prevent_initial_call=True)
    def fail(clicks):
        raise RuntimeError("the secret of /etc/shadow")

    app.clientside_callback(
        "function(clicks) { return 'client ' + clicks; }", Output("client-out", "children"), Input("go", "n_clicks")
    )

    @app.callback(Output("cloud", "figure"), Input("url", "pathname"))
    def draw_cloud(_):
        points = np.random.default_rng(1).random((500, 3)).astype("float32")
        return go.Figure(go.Scatter3d(x=points[:, 0], y=points[:, 1], z=points[:, 2], mode="markers"))

    @app.callback(Output("cloud", "className"), Input("cloud", "clickData"), Input("cloud", "relayoutData"))
    def show_events(click, layout):
        return "moved" if layout else "still"

    @app.server.get("/slow")
    def slow():
        time.sleep(float(request.args.get("seconds", 1)))
        return "done"

    @app.server.get("/crash")
    def crash():
        raise RuntimeError("the secret of /etc/shadow")

    @app.server.post("/api/v1/size")
    def size():
        return {"bytes": len(request.get_data())}

    compression.install(app.server)
    security.install(app, pages=PAGES, read_only=read_only)
    return app


if __name__ == "__main__":
    chosen = server.options(sys.argv[1:])
    server.run(server.warm(build(chosen.read_only)), chosen)
