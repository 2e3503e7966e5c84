"""GET /export/datasets.csv, and of one data set its classes as CSV and its pictures as a zip, made while it is sent."""

from flask import Flask, Response, request

from dashboard.api.exports import attached
from dashboard.data import datasets
from dashboard.exports import datasets_csv
from dashboard.format.csv import as_csv
from dashboard.services.container import Services
from dashboard.web.errors import SENTENCES, RequestError

PACKED = {"zip": "folder", "parquet": "parquet"}


def register(server: Flask, services: Services) -> None:
    """Add them to the server."""

    @server.get("/export/datasets.csv")
    def export_datasets() -> Response:
        return attached(as_csv(*datasets_csv.table(services), None), "datasets.csv")

    @server.get("/export/datasets/<name>/classes.csv")
    def export_dataset_classes(name: str) -> Response:
        one = datasets.one(services.store.library, name, services.store.runs())
        return attached(as_csv(*datasets_csv.classes(one), None), f"{one.name}-classes.csv")

    @server.get("/export/datasets/<name>.<kind>")
    def export_dataset(name: str, kind: str) -> Response:
        if kind not in PACKED:
            raise RequestError(404, SENTENCES[404])
        one = datasets.one(services.store.library, name, services.store.runs())
        reviewed = request.args.get("labels") == "reviewed"
        store = services.store
        labels = store.current_labels(store.data_version(one.described)) if reviewed else None
        pieces = services.datasets.packed(one.name, PACKED[kind], labels)
        tail = "" if kind == "zip" else "-parquet"
        called = f"{one.name}{'-reviewed' if reviewed else ''}{tail}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{called}"', "Cache-Control": "no-store"}
        return Response(pieces, mimetype="application/zip", headers=headers)
