"""GET /pictures/…, /sprites/…, /originals/… and /suspects/…: one picture, or a sheet of many.

An address carries the digest of its data set, so that what it names never changes: it is kept for a year. A data set
that is imported anew has other addresses; the old ones go on naming the version that runs learned from, while that is
kept.
"""

import re

import numpy as np
from flask import Flask, Response, request
from PIL import Image, ImageOps

from dashboard.format.images import MAX_TILES, jpeg, png, sheet
from dashboard.services.container import Services
from dashboard.web.errors import SENTENCES, RequestError
from ml.artifacts.reader import Missing
from ml.images.decoding import ORIENTATION, Picture

LOSSLESS = 512  # pixels a side up to which an original is a PNG
SMALL = 64  # pixels a side up to which a sheet shows each of them as it is
FOREVER = "public, max-age=31536000, immutable"
IDS = re.compile(rf"\d{{1,9}}(-\d{{1,9}}){{0,{MAX_TILES - 1}}}", re.ASCII)


def register(server: Flask, services: Services) -> None:
    """Add them to the server."""

    @server.get("/pictures/<dataset>/<split>/<int:example_id>.png")
    def picture(dataset: str, split: str, example_id: int) -> Response:
        return cached(examples(services, dataset, split, [example_id])[0], kept())

    @server.get("/sprites/<dataset>/<split>/<ids>.png")
    def sprites(dataset: str, split: str, ids: str) -> Response:
        images = examples(services, dataset, split, numbers(ids))
        return cached(sheet(images), kept(), photographs=max(images.shape[1:3]) > SMALL, small=len(images) > 1)

    @server.get("/originals/<dataset>/<int:example_id>.png")
    def original(dataset: str, example_id: int) -> Response:
        current(services.store.picture_set(dataset)[1])
        image = upright(services.datasets.as_it_came(dataset, example_id))
        return cached(image, "no-cache", photographs=max(image.shape[:2]) > LOSSLESS)

    @server.get("/suspects/<run_id>/<int:example_id>.png")
    def suspect(run_id: str, example_id: int) -> Response:
        return cached(services.store.open(run_id).suspected([example_id])[0], FOREVER)

    @server.get("/suspects/<run_id>/sheet/<ids>.png")
    def suspect_sheet(run_id: str, ids: str) -> Response:
        return cached(sheet(services.store.open(run_id).suspected(numbers(ids))), FOREVER)


def numbers(ids: str) -> list[int]:
    """'1-2-3' as numbers. Raises RequestError."""
    if not IDS.fullmatch(ids):
        raise RequestError(404, SENTENCES[404])
    return [int(part) for part in ids.split("-")]


def examples(services: Services, dataset: str, split: str, ids: list[int]) -> np.ndarray:
    """uint8 [n, h, w, c] of a data set. Raises RequestError, Missing or Broken."""
    digest = services.store.picture_set(dataset)[1]
    version = services.store.version(dataset, request.args.get("v", digest))
    if version is None:
        raise RequestError(404, "These pictures were imported anew.")
    pictures = services.store.pictures_of(dataset, split, version)
    if len(ids) == 1:
        return pictures.images[[pictures.row(ids[0])]]
    # of what was fetched, some may have been left out: these are black, and the others are there
    here = np.isin(ids, pictures.ids)
    if not here.any():
        raise Missing("There are no such pictures in this split.")
    found = pictures.images[np.searchsorted(pictures.ids, np.array(ids)[here])]
    if len(found) == len(ids):
        return found
    images = np.zeros((len(ids), *found.shape[1:]), np.uint8)
    images[here] = found
    return images


def upright(picture: Picture) -> np.ndarray:
    """uint8 [h, w, c] of a file's picture, turned as it says."""
    image = Image.fromarray(picture.pixels[..., 0] if picture.pixels.shape[2] == 1 else picture.pixels)
    exif = Image.Exif()
    exif[ORIENTATION] = picture.orientation
    image.info["exif"] = exif.tobytes()
    turned = np.asarray(ImageOps.exif_transpose(image))
    return turned if turned.ndim == 3 else turned[..., None]


def cached(image: np.ndarray, caching: str, *, photographs: bool = False, small: bool = False) -> Response:
    """A PNG, or of photographs in colour a JPEG (small: see `jpeg`), and for how long browsers keep it."""
    if photographs and image.shape[-1] == 3:
        return Response(jpeg(image, small=small), mimetype="image/jpeg", headers={"Cache-Control": caching})
    return Response(png(image), mimetype="image/png", headers={"Cache-Control": caching})


def current(digest: str) -> None:
    """Raises RequestError where the current request's address is of other pictures than these."""
    if request.args.get("v", digest) != digest:
        raise RequestError(404, "These pictures were imported anew.")


def kept() -> str:
    """How long the answer to the current request may be kept: an address without a digest may name others tomorrow."""
    return FOREVER if "v" in request.args else "no-cache"
