"""Failure modes: what each tag means and what to do next, in words for people. Imports nothing.

Those of MADE are computed once for a run (`ml.evaluation.tags`); the others follow from what else is known: the run it
is compared with, the suspected labels, the data set's near-duplicates, the recording of its training.
"""

from dataclasses import dataclass

CONFLICTING = 6  # of the nearest ten
HIGH_CONFIDENCE = 0.9  # of a confident mistake
MARGIN = 0.2  # between the two likeliest classes
OFTEN = 3  # times forgotten
SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # pixels down, pixels right


@dataclass(frozen=True)
class Tag:
    """title: what people call it; means: one sentence; do: what to try next."""

    title: str
    means: str
    do: str


TAGS = {
    "conflicting-neighbours": Tag(
        "conflicting neighbours",
        f"At least {CONFLICTING} of its ten nearest training images carry another label.",
        "Open one and look at its neighbours: where they are right, the label is in doubt; where they are not, the "
        "network has no feature that tells the two classes apart.",
    ),
    "top-2": Tag(
        "right in top 2",
        "Named wrong, but the label is the second guess.",
        "See in the matrix which two classes they are, and add training images of that pair.",
    ),
    "confidently-wrong": Tag(
        "confidently wrong",
        f"Named wrong with a confidence of {100 * HIGH_CONFIDENCE:.0f} % or more.",
        "Check the labels first; where they are right, such images are missing in training.",
    ),
    "unsure": Tag(
        "unsure",
        f"The two likeliest classes are less than {100 * MARGIN:.0f} points apart.",
        "Let a person answer these: the calibration panel shows what a threshold would cost.",
    ),
    "flips": Tag(
        "flips under small shifts",
        "Moved by one pixel up, down, left or right, it gets another answer at least once.",
        "Train with the change shift, or for longer with it.",
    ),
    "runs-disagree": Tag(
        "runs disagree",
        "The run it is compared with says something else.",
        "Open Comparison: what one of the two has right, a larger or another network can learn.",
    ),
    "suspected-label": Tag(
        "suspected label",
        "Its label is less likely than could be expected of its class (cleanlab).",
        "Decide on the Review page, then retrain with the decisions.",
    ),
    "near-duplicate": Tag(
        "near-duplicate",
        "Nearly the same image is in the data set a second time.",
        "Where its twin is in train, do not count it as seen for the first time; the list on Slices has all of them.",
    ),
    "often-forgotten": Tag(
        "often forgotten",
        f"While it learned, right after one epoch and wrong after the next, {OFTEN} times or more.",
        "Look at them on the data map: what is hard or in doubt moves back and forth.",
    ),
    "never-learned": Tag(
        "never learned",
        "Wrong after every epoch of training.",
        "Check the labels; where they are right, nothing in training is like these.",
    ),
}
OF_MISTAKES = ("top-2", "confidently-wrong")  # of images that are named wrong, by definition
MADE = ("conflicting-neighbours", "top-2", "confidently-wrong", "unsure", "flips")
