"""GET /export/… and /training/log/…: what a page shows, as a file. A run is opened where the page shows it."""

from collections.abc import Mapping

from flask import Flask, Response, request, send_file

from dashboard.analysis import permalinks
from dashboard.api.requests import selection
from dashboard.exports import feature_space, report, runs_csv, tables
from dashboard.format.csv import as_csv
from dashboard.services.container import Services
from dashboard.web.errors import SENTENCES, RequestError
from ml.artifacts.reader import Missing


def attached(content: str | bytes, name: str, kind: str = "text/csv") -> Response:
    """A file that the browser keeps under this name; not kept by it besides, as people change what it says."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, mimetype=kind, headers=headers)


def register(
    server: Flask, services: Services, builders: Mapping[str, tables.Builder], views: Mapping[str, report.Show]
) -> None:
    """Add them. builders: table by noun; views: what the report of a page shows, "" for that of a selection.

    Those of decisions, feedback, runs and monitoring stand beside their own routes.
    """

    @server.get("/export/<noun>.csv")
    def export(noun: str) -> Response:
        chosen = selection()
        if noun not in builders:
            raise Missing("There is no such table.")
        source, (head, rows) = builders[noun](services, chosen)
        names = "-".join(filter(None, (source.run, source.against, noun, chosen.split)))
        return attached(as_csv(head, rows, source), f"{names}.csv")

    @server.get("/export/runs.csv")
    def export_runs() -> Response:
        return attached(as_csv(*runs_csv.table(services), None), "runs.csv")

    @server.get("/export/report.html")
    @server.get("/export/<page>-report.html")
    def export_report(page: str = "") -> Response:
        chosen = selection()
        address = f"/{page}{permalinks.named(services.store, chosen, f'/{page}').permalink()}"
        if page not in views:
            raise RequestError(404, SENTENCES[404])
        text = report.html(services, chosen, address, views[page])
        names = (services.store.used(chosen.run), chosen.split, page, "report.html")
        return attached(text, "-".join(filter(None, names)), "text/html")

    @server.get("/export/projection.html")
    def projection_document() -> Response:
        query, values = request.query_string.decode("latin-1"), request.args
        scene = feature_space.Scene(services, query, values.get("colour"), values.get("theme"))
        name = f"{scene.run.run_id}-feature-space-{scene.selection.split}.html"
        return attached(feature_space.document(scene), name, "text/html")

    @server.get("/training/log/<job_id>.txt")
    def export_log(job_id: str) -> Response:
        file = services.jobs.log_file(job_id)
        if file is None:
            raise RequestError(404, SENTENCES[404])
        return send_file(file.resolve(), mimetype="text/plain", as_attachment=True, download_name=f"{job_id}.txt")
