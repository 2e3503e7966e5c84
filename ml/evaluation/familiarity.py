"""How far is each picture from everything that the run knows, in the eyes of all its layers?

What is usual is learned from reference pictures and from AGAIN of them as prepared from renderings: enlarged,
leaning, light on dark or dark on light, with noise. Without these a network's layers tell every photograph, however
well prepared, from pictures that never were one. docs/preparation.md compares this score with others.

A network of many wide layers says more than can be kept: averaged WIDE times and more, unlike channels become one
number. Of such a network the last layer's input is looked at alone, whose directions (ml.stats.ood.directions) tell
what it knows from what it does not, and which every engine gives.
"""

import numpy as np
from PIL import Image

from ml.data.images import AnyImages, asked_at_once, batches, some
from ml.evaluation.context import PART, EvaluationContext
from ml.evaluation.kept import drawn
from ml.images.form import Form
from ml.images.preparation import prepare
from ml.stats.ood import SHRINK, SHRINK_LAST, WIDEST, OodModel, directions, learn

AGAIN = 400
WIDE = 4  # times WIDEST numbers of all layers


def arrays(context: EvaluationContext) -> dict[str, np.ndarray]:
    """What `ml.stats.ood.learn` makes, and the scores of validation and test, float32 [n] in their order."""
    reference = context.splits["reference"]
    last = context.classifier.breadth() > WIDE * WIDEST

    def statistics(images: AnyImages) -> np.ndarray:
        if last:
            return directions(context.classifier.features(images))
        return context.classifier.statistics(images)

    form = Form.of(some(reference.images))
    again = of = None
    if form.background is not None:
        rng = np.random.default_rng(context.seed)
        rows = rng.permutation(len(reference))[:AGAIN]
        context.tell(f"computing familiarity: {len(rows)} renderings")
        pictures = reference.images[rows]
        again = statistics(drawn("renderings", (pictures, form), rng, lambda: renderings(pictures, form, rng)))
        of = reference.labels[rows]
    learned = learn(statistics(reference.images), reference.labels, again, of, SHRINK_LAST if last else SHRINK)
    if last:
        learned["last"] = np.ones(1, np.uint8)
    known = OodModel(learned)
    scores = {}
    for split in ("validation", "test"):
        images = context.splits[split].images
        parts = [known.scores(statistics(batch)) for batch in batches(images, PART * asked_at_once(images.shape[1:]))]
        scores[split] = np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
    return {**learned, **scores}


def renderings(pictures: np.ndarray, form: Form, rng: np.random.Generator) -> np.ndarray:
    """uint8 [n, h, w, c] → the same of `retaken`."""
    return np.stack([retaken(picture, form, rng) for picture in pictures])


def retaken(image: np.ndarray, form: Form, rng: np.random.Generator) -> np.ndarray:
    """uint8 [h, w, c] of a plain background → the same as it comes out of the preparation of a rendering of it.

    Raises ValueError for a form without a plain background.
    """
    if form.background is None:
        raise ValueError("only a plain background goes on beyond the picture")
    height, width, channels = image.shape
    times, lean = rng.uniform(4, 9), rng.uniform(-20, 20)
    large = Image.fromarray(image.squeeze()).resize(
        (round(width * times), round(height * times)), Image.Resampling.BICUBIC
    )
    room = int(rng.uniform(0.12, 0.4) * max(large.size))
    level = (form.background,) * channels if channels > 1 else form.background
    scene = Image.new(large.mode, (large.width + 2 * room, large.height + 2 * room), level)
    scene.paste(large, (room, room))
    scene = scene.rotate(lean, Image.Resampling.BICUBIC, fillcolor=level)
    seen: np.ndarray = np.asarray(scene, np.float32).reshape(scene.height, scene.width, channels)
    if rng.random() < 0.5:
        seen = 255 - seen
    seen = seen * rng.uniform(0.7, 1) + rng.uniform(0, 40)
    seen = seen + rng.normal(size=seen.shape) * rng.uniform(0, 6)
    return prepare(np.clip(np.rint(seen), 0, 255).astype(np.uint8), form).image
