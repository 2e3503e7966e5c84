"""What people say of answers: the ticket of an answer, its judgement, what a training may learn from them."""

import hashlib
import io
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from dashboard.records.feedback import Filter, Item
from dashboard.records.rows import Closed, Declined
from dashboard.services import twins, uploads
from dashboard.services.container import Services
from dashboard.services.predictor import Answer
from dashboard.state.selection import Selection
from ml.artifacts.kinds import TRAINING
from ml.artifacts.reader import Broken, Missing
from ml.data.feedback import CLIENT, EPOCHS
from ml.jobs.tables import Job

MAX_ACCURACY_LOSS = 0.5  # points of validation accuracy that a candidate may lose and still be proposed
ADDRESS = 2 * CLIENT  # pictures of one address in a training: a household's, or one visitor's who keeps no cookie
STRANGE = "This is no answer that this server gave to this picture: ask again, then judge the new answer."


def ticket(services: Services, answer: Answer, image: str, *, sent: str = "", origin: str = "") -> dict[str, Any]:
    """What a page needs to send a judgement of an answer later: answer, confidence, origin, and the server's mark.

    image, sent: the picture as the network saw it and as it came, as data URLs; origin: the data set's picture, as
    'test 17'. The mark is '' where no feedback is taken.
    """
    predicted, confidence = answer.label, f"{answer.confidence:.6f}"
    taken = not services.read_only and services.feedback.folder is not None
    if not taken:
        return {"said": predicted, "confidence": confidence, "origin": origin, "prediction": ""}
    mark = services.feedback.signature(*_signed(answer.run, predicted, confidence, image, sent, origin))
    return {"said": predicted, "confidence": confidence, "origin": origin, "prediction": mark}


def _signed(run: str, predicted: str, confidence: str, image: str, sent: str, origin: str) -> list[str]:
    return [run, predicted, confidence, *(hashlib.sha256(one.encode()).hexdigest() for one in (image, sent)), origin]


def give(
    services: Services,
    client: str,
    *,
    key: str,
    run: str,
    prediction: str,
    said: str,
    confidence: str,
    image: str,
    label: str,
    sent: str,
    origin: str,
    note: str,
    address: str = "",
) -> tuple[Item, bool]:
    """Keep a judgement; the row, and whether it is new. On the disk when this returns.

    prediction, said, confidence, origin, image: as the ticket has them; label: the class it is, by the person; sent:
    the picture as it came, '' where it is the data set's; address: the sender's mark.

    Raises Declined, Refusal, Missing, Broken.
    """  # fmt: skip
    opened = services.store.open(run or "-")
    if label not in opened.classes:
        raise Declined(f"Label: one of {', '.join(opened.classes)}.", "label")
    if not services.feedback.signed(prediction, *_signed(opened.run_id, said, confidence, image, sent, origin)):
        raise Declined(STRANGE) if services.feedback.readable() else Closed
    seen = uploads.decode(uploads.from_data_url(image)).pixels
    return services.feedback.give(
        key=key, run=opened.run_id, dataset=opened.dataset["name"], said=said, confidence=float(confidence),
        label=label, note=note, client=client, picture=_png(seen), sent=_upright(sent) if sent else None, origin=origin,
        address=address,
    )  # fmt: skip


def _png(pixels: np.ndarray) -> bytes:
    """uint8 [h, w, 1 or 3]"""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _upright(sent: str) -> bytes:
    """A picture as it came, at most 768 pixels a side, turned as its EXIF says and without any of that. PNG."""
    picture = uploads.decode(uploads.from_data_url(sent))
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.pixels.shape[2] == 1 else picture.pixels)
    image.getexif()[uploads.ORIENTATION] = picture.orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    return _png(turned[:, :, None] if turned.ndim == 2 else turned)


def filtered(selection: Selection) -> Filter:
    """What the address says of the inbox."""
    return Filter(selection.state or "", selection.run or "", selection.true, selection.text or "")


# ---- what a training may learn from


@dataclass(frozen=True)
class Lessons:
    """What of the accepted feedback a run can learn from. kept: oldest first; images: uint8 [n, h, w, c].

    The others are counted: pictures of validation or test, of another form or class, lost, over a visitor's caps.
    """

    kept: tuple[Item, ...]
    images: np.ndarray
    wanted: tuple[int, ...]
    judged: int
    strange: int
    capped: int

    @property
    def clients(self) -> list[int]:
        """A number from 0 on for each kept row."""
        known: dict[str, int] = {}
        return [known.setdefault(one.client, len(known)) for one in self.kept]


def told(image: np.ndarray) -> bytes:
    """What a picture is known by, in 16 bytes."""
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def lessons(services: Services, run: RunData) -> Lessons:
    """Raises Missing or Broken where the run's data set cannot be read."""
    shape = tuple(run.dataset[side] for side in ("height", "width", "channels"))
    # what a run is judged on must never teach it, also where somebody uploaded such a picture
    exam = {told(image) for split in ("validation", "test") for image in run.pictures(split).images}
    kept, images, judged, strange = [], [], 0, 0
    for one in services.feedback.accepted(run.dataset["name"]):
        try:
            image = uploads.decode(services.feedback.picture(one.picture)).pixels
        except (LookupError, uploads.Refusal):
            strange += 1
            continue
        if image.shape[:2] == shape[:2] and image.shape[2] == 1 and shape[2] == 3:
            image = np.repeat(image, 3, axis=2)  # a grey picture of a network that sees colours
        if image.shape != shape or one.label not in run.classes:
            strange += 1
        elif one.origin.partition(" ")[0] in ("validation", "test") or told(image) in exam:
            judged += 1
        else:
            kept.append(one)
            images.append(image)
    keep = capped(kept)
    stack = np.stack([images[place] for place in keep]) if keep else np.zeros((0, *shape), np.uint8)
    chosen = tuple(kept[place] for place in keep)
    wanted = tuple(run.classes.index(one.label) for one in chosen)
    return Lessons(chosen, stack, wanted, judged, strange, len(kept) - len(keep))


def capped(rows: Sequence[Item]) -> list[int]:
    """Places of the newest CLIENT rows of each client and ADDRESS of each address, ascending; rows: oldest first."""
    clients: Counter[str] = Counter()
    addresses: Counter[str] = Counter()
    keep = []
    for place in reversed(range(len(rows))):
        one = rows[place]
        if clients[one.client] < CLIENT and (not one.address or addresses[one.address] < ADDRESS):
            keep.append(place)
            clients[one.client] += 1
            addresses[one.address] += 1
    return keep[::-1]


def begin(services: Services, run: RunData, *, twin: bool = True) -> Job:
    """Start a fine-tuning of the run with what was accepted. Raises Declined, Invalid, Refused, Missing, Broken.

    twin: whether twins are trained as well, which see as many of the run's own training pictures in its place.
    """
    run.need(TRAINING)
    material = lessons(services, run)
    if not material.kept:
        raise Declined("No accepted feedback can be learned from.")
    stem = f"{run.run_id[:48]}-feedback"
    taken = services.registry.names() | services.jobs.names()
    name = stem if stem not in taken else services.registry.free_name(stem)
    places = twins.stand_ins(run, len(material.kept), ()) if twin else np.zeros(0, np.int64)
    usual = None
    if len(places) == len(material.kept):  # or there are too few pictures for a twin
        pictures = run.pictures("reference")
        usual = (pictures.images[places], pictures.labels[places].tolist())
    config = {**run.manifest["config"], "epochs": EPOCHS}
    job = services.jobs.fine_tune(
        run.manifest["config"], name, against=run.run_id, images=material.images, wanted=material.wanted,
        clients=material.clients, twin=usual, seconds=twins.one_training(services.jobs.estimate, run, config),
        intent=secrets.token_hex(16), taken=services.registry.names(),
    )  # fmt: skip
    services.jobs.wake()
    return job


@dataclass(frozen=True)
class Outcome:
    """A candidate beside the run it began with: shares right on validation, old and new, and on test."""

    old: Proportion
    new: Proportion
    test: Proportion

    @property
    def change(self) -> float:
        """Points of validation accuracy; below zero is a loss."""
        return 100 * (self.new.value - self.old.value)

    @property
    def proposed(self) -> bool:
        """Whether it loses no more than it may."""
        return self.change >= -MAX_ACCURACY_LOSS - 1e-9

    def sentence(self) -> str:
        """Both numbers and what follows from them."""
        change = f"{self.change:+z.2f}".replace("-", "−")
        shares = f"Validation {self.old.percent} % before, {self.new} now: {change} points. "
        if self.proposed:
            return f"{shares}Nothing is promoted by itself: you decide, on the Training page."
        return shares + f"It loses more than {MAX_ACCURACY_LOSS} points, so it is not proposed: keep the run you have."


def outcome(services: Services, job: Job) -> Outcome | None:
    """How the run of a finished fine-tuning compares; None while one of the two cannot be read."""
    material = services.jobs.lessons(job)
    try:
        if material is None or job.state != "done":
            return None
        pair = [services.store.open(name).manifest["results"] for name in (material.against, job.run_id)]
    except (Missing, Broken):
        return None
    old, new = (Proportion(one["validation"]["correct"], one["validation"]["n"]) for one in pair)
    return Outcome(old, new, Proportion(pair[1]["test"]["correct"], pair[1]["test"]["n"]))
