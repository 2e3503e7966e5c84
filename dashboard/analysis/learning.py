"""How a run learned, in words and intervals: of how many pictures its curves are, how long it took, what is kept."""

import numpy as np

from dashboard.data.run import RunData
from dashboard.format.numbers import duration
from ml.artifacts.kinds import TRAINING
from ml.stats.intervals import wilson
from ml.system.wording import quantity


def judged_on(run: RunData) -> int:
    """How many validation images there are: those that were predicted, of a run from elsewhere."""
    result = run.manifest["results"].get("validation") or {}
    return result.get("n") or run.dataset["counts"]["validation"]


def band(run: RunData) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of the validation accuracy, [epochs] each, 0..1; nan where nobody told it."""
    n = judged_on(run)
    return wilson((run.history()["validation_accuracy"] * n).to_numpy(), n)


def timed(run: RunData) -> bool:
    """Whether it is known how long each of its epochs took."""
    return bool(np.isfinite(run.history()["seconds"]).all())


def amount(run: RunData) -> str:
    """How many epochs over how many images, in how long: as far as it is known."""
    history = run.history()
    over = f" over {quantity(run.manifest['train_images'], 'image')}" if run.can(TRAINING) else ""
    took = f" in {duration(float(history['seconds'].sum()))}" if timed(run) else ""
    return f"{quantity(len(history), 'epoch')}{over}{took}"


def teller(run: RunData) -> str:
    """Of a run from elsewhere, who said how it learned."""
    script = str((run.manifest.get("published") or {}).get("script", ""))[:120]
    return f"as {script} told it" if script else "counted from the predictions of each"
