"""The words that an address may hold, and how much of each."""

from collections.abc import Sequence

from ml.robustness.catalogue import LADDER
from ml.stats import conformal

SCORED = ("test", "validation", "reference")  # reference: a part of what the runs were trained on
UNLABELLED = "unlabelled"  # pictures that nobody has labelled: shown, and never scored
SPLITS = (*SCORED, UNLABELLED)
NO_LABEL = "no label"  # in place of a class
SPLIT_NAMES = {"reference": "train"}  # what a split is called on screen where its address says something else
OUTCOMES = ("wrong", "right")
BUCKETS = ("both", "only-a", "only-b", "neither")  # who is right: A is `run`, B is `against`
# given: as `ids` has them; unlike the training pictures and diverse: of pictures without a label
SORTS = ("confident", "unsure", "id", "given", "unlike", "diverse")
PLOTS = ("map", "data-map")
LEVELS = tuple(round(100 * level) for level in conformal.LEVELS)  # per cent of the prediction sets that hold the truth
SCALINGS = ("temperature",)  # probabilities after temperature scaling; as trained when not said
LABELS = ("reviewed",)  # scores and matrix with people's decisions; as labelled when not said
VERSUS = ("right", "rest", "run", "contrast")  # the right ones of its classes, all others, its images in another run, …
LOOKS = ("grad-cam", "gradients", "integrated", "occlusion")
STATES = ("new", "accepted", "rejected")  # of feedback
SINCE = ("hour", "day", "all")
PAIRED = ("/comparison",)  # pages about two runs
PAGE_SIZE = 48
MAX_IDS = 200
MAX_VERTICES = 100
MAX_EPSILON = float(LADDER[-1])  # of 255, how far an attack may move a pixel
TOPS = (5, 10, 20, 40)  # how many classes of a matrix are offered


def split_name(split: str) -> str:
    """What a split is called on screen."""
    return SPLIT_NAMES.get(split, split)


def label_name(classes: Sequence[str], label: int | None) -> str:
    """The name of a label; 'no label' for None, and for the -1 that a picture without a label has in its file."""
    return NO_LABEL if label is None or label < 0 else classes[label]
