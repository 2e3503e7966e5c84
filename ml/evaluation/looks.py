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
from ml.evaluation.photographs import printed, rendered
from ml.images.decoding import Refusal, decode
from ml.images.fitting import reading
from ml.images.form import Form
from ml.images.looks import SIDE, looks
from ml.stats import likeness

KEPT, AGAIN = 500, 120  # pictures of a group at most: as they are or came, and made for it
SIDES = (200, 330)  # pixels of those that are made as photographs
WAYS = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def arrays(context: EvaluationContext) -> dict[str, np.ndarray]:
    """What `ml.stats.likeness.learn` makes of the groups that there are."""
    images, rng = context.splits["reference"].images, np.random.default_rng(context.seed)
    form = Form.of(some(images))
    context.tell("computing looks")
    kept, again = (80, 20) if context.brief else (KEPT, AGAIN)  # somebody waits
    groups: list[Iterable[np.ndarray]] = [images[_drawn(len(images), kept, rng)]]
    files = [file for _, file in sorted(context.files().items())][:kept]
    manner = reading(context.manner())
    groups.append([picture for file in files if (picture := _read(file, manner)) is not None])
    if max(form.height, form.width) < SIDE:
        groups += [_larger(images[_drawn(len(images), again, rng)], rng)]
    if form.background is not None:
        level = form.background
        ways: tuple[Callable[..., np.ndarray], ...] = (rendered, printed, partial(printed, cut=True))
        for way in ways:
            chosen = images[_drawn(len(images), again, rng)]
            groups.append([way(one, rng, side=int(rng.integers(*SIDES)), background=level) for one in chosen])
    measured = [[looks(one) for one in group] for group in groups]
    return likeness.learn([np.stack(values) for values in measured if len(values) > 1])


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
