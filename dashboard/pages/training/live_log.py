"""What a training printed, and who worked on it."""

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import plain
from dashboard.pages.training.live_facts import Ids, happened
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services


def register(app: Dash, services: Services) -> None:
    """The log's end on the page, the whole of it as a file."""

    @app.callback(
        Output(Ids.LOG_TEXT, "children"),
        Output(Ids.LOG_BOX, "hidden"),
        Output(Ids.LOG, "aria-expanded"),
        Output(Ids.LOG_FILE, "href"),
        plain.children(Ids.EVENTS),
        Output(Memory.LOG, "data"),
        Input(Ids.LOG, "n_clicks"),
        Input(Memory.FRONT, "data"),
        Input(Memory.CURVES, "data"),
        State(Memory.LOG, "data"),
        prevent_initial_call=True,
    )
    def show_log(clicks, front, _curves, seen):
        if not clicks or clicks % 2 == 0:
            if ctx.triggered_id != Ids.LOG:
                raise PreventUpdate
            return None, True, "false", no_update, None, None
        job_id = front[0] if isinstance(front, list) and front and isinstance(front[0], str) else ""
        file, events = services.jobs.log_file(job_id), services.jobs.events(job_id)
        now = [job_id, file.stat().st_size if file is not None else 0, len(events)]
        if now == seen:
            raise PreventUpdate
        words = services.jobs.log_tail(job_id) or "Nothing has been printed yet."
        return words, False, "true", f"/training/log/{job_id}.txt", [html.Li(happened(one)) for one in events], now

    app.clientside_callback(
        ClientsideFunction("training", "follow"), Input(Ids.LOG_TEXT, "children"), prevent_initial_call=True
    )
