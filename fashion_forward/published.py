"""`publish` and `add_predictions`: a training script, or arrays that it left, become a run. Nothing of Dash or torch is
loaded; what the functions need is, when they are called."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.telling.run import Run


def publish(
    name: str,
    data: str,
    *,
    epochs: int = 0,
    resume: bool = False,
    anew: bool = False,
    classes: Sequence[str] | None = None,
    values: str = "",
    positive: str | int | None = None,
    keep: str | int = "last",
    tell: Callable[[str], None] | None = None,
    live: bool = True,
    settings: Any = None,
) -> "Run":
    """A run to tell of while something learns:

        with fashion_forward.publish("my-run", data="pets", epochs=10) as run:
            for epoch in range(1, 11):
                ...
                run.epoch(epoch, loss=loss, validation_accuracy=accuracy)
                run.predictions("validation", ids, probabilities, epoch=epoch)
            run.predictions("test", test_ids, test_probabilities)
            run.network("net.onnx")  # where there is one: the run then answers uploads

    It is shown on the Training page meanwhile. At the end of the block it is published, whole or not at all. After an
    error or a kill what was told stays, and `resume=True` under the same name goes on with it.

    name: as people write it, My Run 2 is my-run-2; data: the data set's name; epochs: how many there will be, for
    progress and time left; resume: go on where an earlier process stopped, begin where there was none; anew: forget
    what it told; classes: names in the order of the columns of probabilities, where that is not the data set's; values:
    what the numbers are (probabilities, logits, log-probabilities, percent, scores), where that is not told right;
    positive: the class of a single probability; keep: whose answers are the run's, where each epoch has some and the
    finished network none: "last", "best" on validation, or a number; tell: takes sentences, printed to stderr by
    itself; live: whether it is shown while it learns; settings: what it is trained with, as `Run.settings` takes it.

    Raises ValueError in words.
    """
    from ml.telling.run import Run, aloud

    return Run(
        name, data, epochs=epochs, resume=resume, anew=anew, classes=classes, values=values, positive=positive,
        keep=keep, tell=tell or aloud, live=live, settings=settings,
    )  # fmt: skip


def add_predictions(
    name: str,
    data: str,
    predictions: Mapping[str, tuple[Any, Any]],
    *,
    features: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    """A run from predictions that are there already: its id.

    fashion_forward.add_predictions("my-forest", "pets", {"test": (ids, probabilities), "validation": (None, other)})

    predictions: split → ids and probabilities, as `Run.predictions` takes them; features: split → [n, d]; more: as
    `publish` takes it. Raises ValueError in words; then nothing is left.
    """
    run = publish(name, data, live=False, **more)
    try:
        for split, (ids, said) in predictions.items():
            run.predictions(split, ids, said, features=(features or {}).get(split))
        run.close()
    except BaseException:
        run.discard()
        raise
    return run.run_id
