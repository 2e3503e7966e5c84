"""Which steps for photographs a run takes, and what they were measured to be worth."""

from dataclasses import dataclass

import pandas as pd

from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from ml.artifacts.reader import Broken, Missing
from ml.images.preparation import PHOTOGRAPH_STEPS, PREPARATION_STEPS

TITLES = {kind.name: kind.title for kind in PREPARATION_STEPS}


@dataclass(frozen=True)
class Worth:
    """words: a sentence or two on all steps; steps: by name, what each is worth beside the others."""

    words: str
    steps: dict[str, str]


def measured(run: RunData) -> Worth:
    """What the run's noun `preparation` says."""
    try:
        table = run.preparation()
    except Missing as missing:
        return Worth(
            "Auto takes no steps for photographs, because they were not measured for this run: it fits pictures as its "
            f"training images were. To measure them: {missing.command}",
            {},
        )
    except Broken as broken:
        return Worth(str(broken), {})
    chosen = [name for name in PHOTOGRAPH_STEPS if name in run.manifest.get("preparation", ())]
    photographs, files = (table[table["given"] == given] for given in ("photographs", "files"))
    tried = chosen or list(PHOTOGRAPH_STEPS)
    plain, every = (share(photographs, steps, "correct") for steps in ([], tried))
    same = share(files, tried, "agreeing")
    if plain is None or every is None:
        return Worth("Auto takes no steps for photographs: the training images have no plain background.", {})
    worth = f"of photographs made of validation images {every} are right with them, {plain} without."
    if not chosen:
        if same is None:
            why = "nobody knows how this data set's own files looked"
        elif same.count < same.n:
            why = f"with them {same} of the run's own validation files would be answered as recorded"
        else:
            why = "they were not measured to help"
        return Worth(f"Auto takes no steps for photographs, because {why}; {worth}", {})
    named = ", ".join(TITLES[name] for name in chosen)
    own = f" Given as files, {same} of validation images are answered as recorded." if same is not None else ""
    steps = {}
    for name in chosen:
        without = share(photographs, [one for one in chosen if one != name], "correct")
        if without is not None:
            steps[name] = f"{every.percent} % right with it, {without.percent} % without (n {without.n:,})"
    return Worth(f"Auto takes the steps that help this run ({named}): {worth}{own}", steps)


def share(table: pd.DataFrame, steps: list[str], column: str) -> Proportion | None:
    """The row of these steps, None where it was not measured."""
    rows = table[table["steps"] == " ".join(steps)]
    return None if not len(rows) else Proportion(int(rows[column].iloc[0]), int(rows["n"].iloc[0]))
