"""GET /pictures/…, /sprites/… and /suspects/…: one PNG, or a sheet of many. Content never changes: it is cached."""

import re

import numpy as np
from flask import Flask, Response

from dashboard.format.images import FOREVER, MAX_TILES, png, sheet
from dashboard.services.container import Services
from dashboard.web.errors import SENTENCES, RequestError
from ml.artifacts.reader import Missing

IDS = re.compile(rf"\d{{1,9}}(-\d{{1,9}}){{0,{MAX_TILES - 1}}}", re.ASCII)


def register(server: Flask, services: Services) -> None:
    """Add them to the server."""

    @server.get("/pictures/<dataset>/<split>/<int:example_id>.png")
    def picture(dataset: str, split: str, example_id: int) -> Response:
        return cached(examples(services, dataset, split, [example_id])[0])

    @server.get("/sprites/<dataset>/<split>/<ids>.png")
    def sprites(dataset: str, split: str, ids: str) -> Response:
        return cached(sheet(examples(services, dataset, split, numbers(ids))))

    @server.get("/suspects/<run_id>/<int:example_id>.png")
    def suspect(run_id: str, example_id: int) -> Response:
        return cached(suspects(services, run_id, [example_id])[0])

    @server.get("/suspects/<run_id>/sheet/<ids>.png")
    def suspect_sheet(run_id: str, ids: str) -> Response:
        return cached(sheet(suspects(services, run_id, numbers(ids))))


def numbers(ids: str) -> list[int]:
    """'1-2-3' as numbers. Raises RequestError."""
    if not IDS.fullmatch(ids):
        raise RequestError(404, SENTENCES[404])
    return [int(part) for part in ids.split("-")]


def examples(services: Services, dataset: str, split: str, ids: list[int]) -> np.ndarray:
    """uint8 [n, h, w, c] of a data set. Raises Missing or Broken."""
    pictures = services.store.pictures(dataset, split)
    return pictures.images[[pictures.row(one) for one in ids]]


def suspects(services: Services, run_id: str, ids: list[int]) -> np.ndarray:
    """uint8 [n, h, w, c] of the training images whose labels a run suspects. Raises Missing or Broken."""
    kept = services.store.open(run_id).suspects()
    place = {int(example): row for row, example in enumerate(kept["example_id"])}
    if not all(one in place for one in ids):
        raise Missing("There is no such image among the suspected ones.")
    return kept["images"][[place[one] for one in ids]]


def cached(image: np.ndarray) -> Response:
    """A PNG that browsers keep."""
    return Response(png(image), mimetype="image/png", headers={"Cache-Control": FOREVER})
