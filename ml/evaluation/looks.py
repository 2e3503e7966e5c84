"""What kind of pictures a run's are, by their colours, ground and detail: as they are kept, as they came, and as
cameras might see them.

A person does not send a data set's picture but a file or a photograph. So each of these is learned as a group of its
own (ml.stats.likeness) from what ml.images.looks says of it: pictures as they are kept; validation files as they came,
where they were kept; pictures made larger; and, where pictures lie on a plain ground and can be cut out of it,
photographs that nobody took and prints in perspective. No network is asked.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from PIL import Image

from ml.data.images import some
from ml.evaluation.context import EvaluationContext
from ml.evaluation.kept import drawn, kept
from ml.evaluation.photographs import printed, rendered
from ml.images.decoding import Refusal, decode
from ml.images.fitting import reading
from ml.images.form import Form
from ml.images.looks import NAMES, SIDE, looks
from ml.stats import likeness

KEPT, AGAIN = 500, 120  # pictures of a group at most: as they are or came, and made for it
SIDES = (200, 330)  # pixels of those that are made as photographs
WAYS = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def arrays(context: EvaluationContext) -> dict[str, np.ndarray]:
    """What `ml.stats.likeness.learn` makes of the groups that there are."""
    images, rng = context.splits["reference"].images, np.random.default_rng(context.seed)
    form = Form.of(some(images))
    context.tell("computing looks")
    usual, again = (80, 20) if context.brief else (KEPT, AGAIN)  # somebody waits
    groups = [measured(images[_drawn(len(images), usual, rng)])]
    files = [file for _, file in sorted(context.files().items())][:usual]
    manner = reading(context.manner())
    came = (picture for file in files if (picture := _read(file, manner)) is not None)
    groups.append(kept("looks of files", (*files, repr(manner)), lambda: _stacked(came)))
    small = images[_drawn(len(images), again, rng)] if max(form.height, form.width) < SIDE else None
    made = []
    if form.background is not None:
        level = form.background
        ways: dict[str, Callable[..., np.ndarray]] = {
            "photographs": rendered, "prints": printed, "cut-outs": partial(printed, cut=True)
        }  # fmt: skip
        for name, way in ways.items():
            chosen = images[_drawn(len(images), again, rng)]
            made.append(drawn(f"looks of {name}", (chosen, level, SIDES), rng, partial(_made, chosen, way, rng, level)))
    if small is not None:
        groups.append(drawn("looks of larger", (small,), rng, lambda: _stacked(_larger(small, rng))))
    return likeness.learn([values for values in (*groups, *made) if len(values) > 1])


def measured(images: np.ndarray) -> np.ndarray:
    """uint8 [n, h, w, c] → float32 [n, len(NAMES)]."""
    return kept("looks", (images,), lambda: _stacked(images))


def _made(chosen: np.ndarray, way: Callable[..., np.ndarray], rng: np.random.Generator, level: int) -> np.ndarray:
    return _stacked(way(one, rng, side=int(rng.integers(*SIDES)), background=level) for one in chosen)


def _stacked(pictures: Iterable[np.ndarray]) -> np.ndarray:
    values = [looks(one) for one in pictures]
    return np.stack(values) if values else np.zeros((0, len(NAMES)), np.float32)


def _drawn(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(n)[:most])


def _read(file: bytes, manner: dict) -> np.ndarray | None:
    try:
        return decode(file, **manner).pixels
    except Refusal:
        return None


def _larger(images: np.ndarray, rng: np.random.Generator) -> Iterable[np.ndarray]:
    """Each at two to twenty times its size, half of them as negatives."""
    for image in images:
        times = rng.uniform(2, 20)
        size = tuple(min(1_000, round(times * n)) for n in image.shape[1::-1])
        source = Image.fromarray((255 - image if rng.random() < 0.5 else image).squeeze())
        yield np.asarray(source.resize(size, WAYS[rng.integers(len(WAYS))])).reshape(size[1], size[0], -1)
