"""Cancel, resume and discard, and the relay of a row's progress to this tab."""

import secrets
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from dashboard.pages.training.live_facts import Ids
from dashboard.pages.training.memory import ACTIVE_MS, ACTS, Memory
from dashboard.services.container import Services
from dashboard.services.relay import relay
from ml.jobs.queue import Refused


def _wish(triggered: object, request: object, live: object) -> tuple[str, str]:
    """What is asked for, and of which job."""
    if triggered == Memory.REQUEST:
        fields = request if isinstance(request, dict) else {}
        act, job_id = fields.get("act"), fields.get("of")
        return (act if act in ACTS else ""), (job_id if isinstance(job_id, str) else "")
    job_id = live[0] if isinstance(live, list) and live and isinstance(live[0], str) else ""
    return ("resume" if triggered == Ids.RESUME else "cancel"), job_id


def register(app: Dash, services: Services) -> None:
    """What a person asks of a job."""

    @app.callback(
        Output(Memory.ACTED, "data"),
        Output(Ids.NOTICE, "children"),
        Output(Memory.TICKET, "data", allow_duplicate=True),
        Input(Ids.CANCEL, "n_clicks"),
        Input(Ids.RESUME, "n_clicks"),
        Input(Memory.REQUEST, "data"),
        State(Memory.LIVE, "data"),
        prevent_initial_call=True,
    )
    def change_job(_cancel, _resume, request, live):
        act, job_id = _wish(ctx.triggered_id, request, live)
        ticket: Any = no_update
        try:
            if act == "resume":
                job = services.jobs.resume(job_id)
                ticket = {"job": job.id, "attempt": job.attempt + 1}
            elif act == "cancel":
                services.jobs.cancel(job_id)
            elif act == "discard":
                services.jobs.discard(job_id)
            else:
                raise PreventUpdate
        except Refused as refusal:
            return secrets.token_hex(4), str(refusal), no_update
        return secrets.token_hex(4), None, ticket

    app.callback(
        Output(Memory.RELAYED, "data"),
        Input(Memory.TICKET, "data"),
        background=True,
        manager=services.jobs.manager,
        progress=[Output(Memory.RELAY, "data")],
        interval=ACTIVE_MS,
        prevent_initial_call=True,
    )(relay)
