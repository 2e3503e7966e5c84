"""Which failure modes does each example show? The definitions are in ml.stats.failure_modes.

Moving each picture four ways asks the network four times as often as all else of an evaluation together. Where somebody
waits for a run that is more than WHOLE pixels, it may take a tenth of what the training took: of each split a part, the
same share of each label, is asked about, and the manifest says of how many (`moved`). Of a network that was not trained
here, it is a twentieth of the pictures. Where nobody waits, but there are more than PATIENT pixels, as photographs have
them, LEAST pictures of reference are moved.
"""

import numpy as np
import pandas as pd

from ml.data.base import Split, stratified
from ml.data.images import asked_at_once, batches, take
from ml.evaluation import neighbours
from ml.evaluation.context import SPLITS, EvaluationContext
from ml.stats.failure_modes import CONFLICTING, HIGH_CONFIDENCE, MARGIN, SHIFTS

# pixels of all splits above which reference, which was learned from, is moved in part even where nobody waits
PATIENT = 100_000_000
WHOLE = 20_000_000  # pixels of pictures that are moved whoever waits: 25,000 of Fashion-MNIST
LEAST, PART = 500, 20  # of test and of validation; of an imported network one picture in so many, if that is less
LEARNED = 3 / len(SHIFTS) / 10  # moved, for one that was learned from: a step of training is three forward passes


def table(context: EvaluationContext) -> pd.DataFrame:
    """One row an example and tag (split, example_id, tag), for test, validation and reference.

    Of predictions alone, what follows from them and from features that came with them.
    """
    near = neighbours.table(context) if "reference" in context.described else None
    moved = asked(context) if context.asks else {}
    frames = []
    for split in context.judged:
        examples, probabilities = context.splits[split], context.recorded(split)
        masks = of_probabilities(probabilities, examples.labels) if context.known == "probabilities" else {}
        if near is not None and split in context.described:
            masks["conflicting-neighbours"] = conflicting(
                near[near["split"] == split], context.splits["reference"], examples
            )
        if context.asks:
            masks["flips"] = moved[split][flips(context, split, moved[split])]
        frames += [
            pd.DataFrame({"split": split, "example_id": examples.ids[rows].astype(np.int32), "tag": tag})
            for tag, rows in masks.items()
        ]
    if context.asks:
        context.notes["moved"] = {s: len(rows) for s, rows in moved.items() if len(rows) < len(context.splits[s])}
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def asked(context: EvaluationContext) -> dict[str, np.ndarray]:
    """split → positions of the pictures that are moved; test and validation before reference, which was learned."""
    splits = context.splits
    pixels = int(np.prod(splits["test"].images.shape[1:3]))
    whole = sum(map(len, splits.values())) * pixels
    if whole <= (WHOLE if context.brief else PATIENT):
        return {split: np.arange(len(splits[split])) for split in SPLITS}
    if not context.brief:
        rows = {split: np.arange(len(splits[split])) for split in SPLITS}
        if len(rows["reference"]) > LEAST:
            some = stratified(splits["reference"].labels, LEAST, np.random.default_rng(context.seed))
            rows["reference"] = np.sort(some)
        return rows
    room = int(context.learned * LEARNED)
    least = LEAST if context.learned else min(LEAST, sum(map(len, splits.values())) // PART)
    rows, rng = {}, np.random.default_rng(context.seed)
    for place, split in enumerate(SPLITS):
        labels = splits[split].labels
        size = min(len(labels), max(room // (len(SPLITS) - place), 0 if split == "reference" else least))
        whole = size == len(labels)
        rows[split] = np.arange(size) if whole or not size else np.sort(stratified(labels, size, rng))
        room -= size
    return rows


def of_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """top-2, confidently-wrong and unsure, bool [n] each. probabilities: float [n, C]; labels: int [n]."""
    guess = probabilities.argmax(1)
    wrong = guess != labels
    rest = probabilities.astype(np.float64)
    rows = np.arange(len(rest))
    first = rest[rows, guess]
    rest[rows, guess] = -1
    second = rest.argmax(1)
    return {
        "top-2": wrong & (second == labels),
        "confidently-wrong": wrong & (first >= HIGH_CONFIDENCE),
        "unsure": first - rest[rows, second] < MARGIN,
    }


def conflicting(near: pd.DataFrame, reference: Split, examples: Split) -> np.ndarray:
    """bool [n]: whether CONFLICTING or more of its nearest reference examples carry another label.

    near: the rows of one split of the noun neighbours.
    """
    order = np.argsort(reference.ids)
    labels = reference.labels[order[np.searchsorted(reference.ids[order], near["neighbour_id"])]]
    mine = np.argsort(examples.ids)
    rows = mine[np.searchsorted(examples.ids[mine], near["example_id"])]
    other = np.bincount(rows, labels != examples.labels[rows], minlength=len(examples))
    return other >= CONFLICTING


def flips(context: EvaluationContext, split: str, rows: np.ndarray) -> np.ndarray:
    """bool [len(rows)]: whether moving the picture by a pixel in one of four directions changes the answer.

    What is moved out is lost, what is moved in repeats the edge.
    """
    guess = context.probabilities(split)[rows].argmax(1)
    if not len(rows):
        return np.zeros(0, bool)
    images = context.splits[split].images
    images = images if len(rows) == len(images) else take(images, rows)
    flipped, size = np.zeros(len(rows), bool), 4 * asked_at_once(images.shape[1:])
    for down, right in SHIFTS:
        context.tell(f"computing tags: {split} moved by ({down}, {right})")
        moved = (shifted(batch, down, right) for batch in batches(images, size))
        flipped |= np.concatenate([context.classifier.probabilities(batch).argmax(1) for batch in moved]) != guess
    return flipped


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """images: uint8 [n, h, w, c], moved by whole pixels; the edge is repeated."""
    rows = np.clip(np.arange(images.shape[1]) - down, 0, images.shape[1] - 1)
    columns = np.clip(np.arange(images.shape[2]) - right, 0, images.shape[2] - 1)
    return images[:, rows][:, :, columns]
