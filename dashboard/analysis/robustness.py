"""What is said of a run under corruptions and attacks: shares with their doubt, alone or against another run."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.format.proportion import Proportion
from dashboard.services.attacker import Attempt
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.kinds import lacking_for
from ml.artifacts.reader import Broken, Missing
from ml.robustness.catalogue import ATTACKS, CORRUPTIONS, PHOTO_SIDE, of_size
from ml.stats.paired import gap, mean_gap, newcombe

NOUN = "robustness"
SPLIT = "test"  # whose pictures were asked about
EPSILON_STEPS = (0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # of 255, what the slider offers
EPSILON = 4.0  # of 255, when the address names none
METHOD = "pgd"


@dataclass(frozen=True)
class Cell:
    """One corruption and severity, or one attack and reach (degree, of 255). share: how many are right then;
    unit: the level of a corruption in words, '' where it is not (any more) one of its levels.

    gap: A's share minus B's on the pictures both were asked about, with its 95 % interval; shared: how many those are.
    """

    name: str
    degree: float
    level: float
    share: Proportion
    unit: str = ""
    gap: tuple[float, float, float] | None = None
    shared: int = 0

    @property
    def address(self) -> str:
        return f"{self.name}:{self.degree:g}"

    @property
    def sure(self) -> bool:
        """Whether the gap's interval leaves zero out."""
        return self.gap is not None and (self.gap[1] > 0 or self.gap[2] < 0)


@dataclass(frozen=True)
class Table:
    """What was measured of a run, and of the other one where two are compared. clean: the pictures as they are.

    mean: over all cells, with its 95 % interval and n pictures, of two runs A's minus B's; of corruptions alone.
    """

    run: RunData
    other: RunData | None
    clean: Cell
    cells: list[Cell]
    theirs: list[Cell]
    mean: tuple[float, float, float, int] | None = None

    @property
    def names(self) -> list[str]:
        """In the order they were measured."""
        return list(dict.fromkeys(cell.name for cell in self.cells))

    def of(self, name: str) -> list[Cell]:
        """The cells of one corruption or attack, from the mildest on."""
        return sorted((cell for cell in self.cells if cell.name == name), key=lambda cell: cell.degree)


def title(name: str) -> str:
    """'Noise', 'PGD'; what is not known here is called as it is."""
    described = CORRUPTIONS.get(name) or ATTACKS.get(name)
    return described.title if described else name.capitalize()


def reach(degree: float) -> str:
    """'0.5/255'"""
    return f"{degree:.4g}/255"


def words(name: str, degree: float) -> str:
    """'noise, severity 3', 'PGD within 0.5/255'."""
    if name in ATTACKS:
        return f"{title(name)} within {reach(degree)}"
    kind = title(name)
    return f"{kind if kind.isupper() else kind.lower()}, severity {degree:g}"


def split_under(under: str) -> tuple[str, float]:
    """What the address calls 'noise:3'. It was read before, so it is of that form."""
    name, _, much = under.partition(":")
    return name, float(much)


def measured(run: RunData) -> bool:
    """Whether everything that the page can show of test is there."""
    nouns = [noun for noun in ("robustness", "attacks", "robustness_answers") if not lacking_for(run.manifest, noun)]
    return bool(nouns) and all(noun in run.manifest["nouns"] for noun in nouns) and current(run)


def current(run: RunData) -> bool:
    """Whether the levels of its corruptions are those that pictures of its size have now: photographs had others."""
    if min(run.dataset["height"], run.dataset["width"]) < PHOTO_SIDE:
        return True
    try:
        cells = _corruptions(run)
    except (Missing, Broken):
        return True  # the panels say what is wrong
    return all(cell.unit or cell.name not in CORRUPTIONS for cell in cells)


def other(store: Store, selection: Selection, run: RunData) -> RunData | None:
    """The run to compare with, None where the address names none that is here. Raises Missing where it cannot be."""
    why = next((why for entry, why in store.rivals(run) if entry.run_id == selection.against), None)
    if why is None:
        return None
    if why:
        raise Missing(f"{run.title} and {selection.against} cannot be compared: {why}.")
    return store.open(selection.against)


def corruptions(store: Store, selection: Selection) -> Table:
    """Every corruption and severity. Raises Missing or Broken."""
    run = store.shown(selection.run)
    rival = other(store, selection, run)
    return replace(_table(run, rival, _corruptions), mean=overall(run, rival))


def attacks(store: Store, selection: Selection) -> Table:
    """Every attack and reach, 0 among them; alone where the other run's network has no gradients. Raises Missing or
    Broken."""
    run = store.shown(selection.run)
    run.need("gradients")
    rival = other(store, selection, run)
    return _table(run, rival if rival is not None and rival.can("gradients") else None, _attacks)


def _corruptions(run: RunData) -> list[Cell]:
    known, cells = of_size(run.dataset["height"], run.dataset["width"]), []
    for r in run.robustness().itertuples():
        kind, share = known.get(r.corruption), Proportion(int(r.correct), int(r.n))
        unit = kind.unit if kind and r.level in kind.levels else ""
        cells.append(Cell(r.corruption, float(r.severity), float(r.level), share, unit))
    return cells


def _attacks(run: RunData) -> list[Cell]:
    cells = []
    for row in run.attacks().itertuples():
        degree = round(255 * float(row.epsilon), 6)
        cells.append(Cell(row.attack, degree, float(row.epsilon), Proportion(int(row.correct), int(row.n))))
    return cells


def _table(run: RunData, rival: RunData | None, read: Callable[[RunData], list[Cell]]) -> Table:
    cells = read(run)
    theirs = read(rival) if rival is not None else []
    if rival is not None:
        here = {(cell.name, cell.degree) for cell in theirs}  # what the other was not asked about has no gap
        both = [i for i, cell in enumerate(cells) if (cell.name, cell.degree) in here]
        counts = np.array([paired(run, rival, cells[i]) for i in both]).reshape(-1, 4)
        middle, (low, high) = gap(counts), newcombe(counts)
        for i, n, *ends in zip(both, counts.sum(1), middle, low, high, strict=True):
            cells[i] = replace(cells[i], gap=(float(ends[0]), float(ends[1]), float(ends[2])), shared=int(n))
    clean = next(cell for cell in cells if not cell.degree)
    return Table(run, rival, clean, [cell for cell in cells if cell.name != "none"], theirs)


def overall(run: RunData, rival: RunData | None) -> tuple[float, float, float, int]:
    """The mean over all cells: a picture's share of cells in which it is right is one number, the pictures are drawn.

    Of two runs the difference, on the pictures and cells both were asked about. The interval is the normal one.
    """
    ids, shares = borne(run, rival)
    if rival is None:
        return (*mean_gap(shares, np.zeros(len(shares))), len(shares))
    others, theirs = borne(rival, run)
    _, left, right = np.intersect1d(ids, others, assume_unique=True, return_indices=True)
    return (*mean_gap(shares[left], theirs[right]), len(left))


@dataclass(frozen=True)
class Perturbed:
    """n test pictures as they are and corrupted or attacked.

    ids: int32; labels: int64; clean, worse: int16, the classes predicted before and after.
    """

    ids: np.ndarray
    labels: np.ndarray
    clean: np.ndarray
    worse: np.ndarray

    @property
    def flipped(self) -> np.ndarray:
        """bool [n]: right before, wrong after."""
        return (self.clean == self.labels) & (self.worse != self.labels)


def perturbed(run: RunData, name: str, degree: float) -> Perturbed:
    """Test pictures as they are and under a corruption of this severity, or an attack within `degree` of 255.

    Raises Missing, also for what was not tried.
    """
    answers = run.robustness_answers()
    if name in ("fgsm", "pgd"):
        frame, part = run.attacks(), ("attacked_id", "attacked")
        mine = frame["attack"] == name
        clean, rows = frame.index[mine & (frame["epsilon"] == 0)], 255 * frame["epsilon"]
        worse = frame.index[mine & np.isclose(rows, degree, atol=1e-6)]
    else:
        frame, part = run.robustness(), ("example_id", "predicted")
        clean = frame.index[frame["severity"] == 0]
        worse = frame.index[(frame["corruption"] == name) & (frame["severity"] == degree)]
    if not len(clean) or not len(worse) or len(frame) != len(answers[part[1]]):
        raise Missing("This was not tried on this run.", run.command(NOUN))
    ids, whole = answers[part[0]], run.predictions("test")
    places = np.searchsorted(whole.ids, ids)
    if not np.array_equal(whole.ids[places.clip(max=len(whole.ids) - 1)], ids):
        raise Broken(f"robustness_answers.npz of run {run.run_id} is of other images")
    return Perturbed(ids, whole.labels[places], answers[part[1]][clean[0]], answers[part[1]][worse[0]])


def borne(run: RunData, rival: RunData | None) -> tuple[np.ndarray, np.ndarray]:
    """ids int32 [n], and in how many of the cells, 0..1, each is named right; of those that rival was asked too."""
    frame = run.robustness()
    rows = frame[frame["severity"] > 0]
    if rival is not None:
        theirs = rival.robustness()
        known = set(zip(theirs["corruption"], theirs["severity"], strict=True))
        rows = rows[[cell in known for cell in zip(rows["corruption"], rows["severity"], strict=True)]]
    predicted, first = run.robustness_answers()["predicted"], rows.iloc[0]
    sample = perturbed(run, str(first["corruption"]), float(first["severity"]))
    return sample.ids, (predicted[rows.index] == sample.labels).mean(axis=0)


def paired(run: RunData, rival: RunData, cell: Cell) -> np.ndarray:
    """int [4]: both right, only A, only B, neither, of the pictures both were asked about."""
    a, b = (perturbed(one, cell.name, cell.degree) for one in (run, rival))
    _, left, right = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    alike = a.labels[left] == b.labels[right]
    left, right = left[alike], right[alike]
    first, second = a.worse[left] == a.labels[left], b.worse[right] == b.labels[right]
    return np.bincount(3 - 2 * first - second, minlength=4)


@dataclass(frozen=True)
class Flips:
    """The pictures of one cell that were right as they are and wrong then. rows: their places in `predictions`."""

    name: str
    degree: float
    predictions: Perturbed
    rows: np.ndarray

    @property
    def right(self) -> int:
        """How many are right as they are."""
        return int((self.predictions.clean == self.predictions.labels).sum())


def flips(run: RunData, under: str, sort: str = "id") -> Flips:
    """By id. Raises Missing or Broken."""
    name, degree = split_under(under)
    predictions = perturbed(run, name, degree)
    rows = np.flatnonzero(predictions.flipped)
    return Flips(name, degree, predictions, rows[np.argsort(predictions.ids[rows], kind="stable")])


def worsened(services: Services, run: RunData, flipped: Flips, rows: np.ndarray) -> np.ndarray:
    """uint8 [k, h, w, c]: these pictures as the network was asked about them, rounded where an attack made them.

    rows: places in `flipped.predictions`. Raises Missing or Broken.
    """
    ids, labels = flipped.predictions.ids[rows], flipped.predictions.labels[rows]
    pictures, seed = run.pictures(SPLIT), run.seed
    images = pictures.images[[pictures.row(int(i)) for i in ids]]
    if flipped.name not in ATTACKS:
        return services.attacker.corrupted(images, ids, flipped.name, int(flipped.degree), seed=seed)
    attempt = services.attacker.attack(run.run_id, images, labels, flipped.name, flipped.degree / 255, seed=seed)
    return np.rint(attempt.images * 255).astype(np.uint8)


@dataclass(frozen=True)
class Question:
    """One picture and how it is attacked. image: uint8 [h, w, c]; klass: away from which, or, targeted, towards which.

    label: its true class, None where nobody has labelled it; epsilon: of 255.
    """

    run: RunData
    example_id: int
    image: np.ndarray
    label: int | None
    method: str
    epsilon: float
    klass: int
    targeted: bool


def question(services: Services, selection: Selection) -> Question:
    """What the address asks about one picture, the split's first where it names none. Raises Missing or Broken.

    Away from what the network says of the picture, unless a class of the run's is named.
    """
    run = services.store.shown(selection.run)
    pictures = run.pictures(selection.split)
    if not len(pictures.ids):
        raise Missing(f"This data set has no image in {selection.split}.")
    row = 0 if selection.sample is None else pictures.row(selection.sample)
    image = pictures.images[row]
    targeted = selection.target in run.classes
    if targeted:
        klass = run.classes.index(str(selection.target))
    else:
        klass = services.predictor.predict(run.run_id, image, mode="none").predicted
    epsilon = EPSILON if selection.epsilon is None else selection.epsilon
    method = selection.attack or METHOD
    label = int(pictures.labels[row]) if pictures.labels[row] >= 0 else None
    return Question(run, int(pictures.ids[row]), image, label, method, epsilon, klass, targeted)


def tried(services: Services, query: Question) -> Attempt:
    """The attack within the address's epsilon."""
    return services.attacker.attack(
        query.run.run_id, query.image[None], np.array([query.klass]), query.method, query.epsilon / 255,
        targeted=query.targeted,
    )  # fmt: skip


def least(services: Services, query: Question) -> Attempt:
    """The smallest epsilon that flips it."""
    return services.attacker.smallest(query.run.run_id, query.image, query.klass, query.method, targeted=query.targeted)


def _row(cell: Cell) -> list:
    low, high = cell.share.ends
    return [cell.share.n, cell.share.count, f"{cell.share.value:.6f}", f"{low:.6f}", f"{high:.6f}"]


def _gap(cell: Cell) -> list:
    return [cell.shared, *(round(x, 6) for x in cell.gap)] if cell.gap else [0, "", "", ""]


COUNTED = ["n", "right", "accuracy", "low", "high"]
GAP = ["n both", "A minus B", "gap low", "gap high"]


def corruption_rows(services: Services, selection: Selection) -> tuple[list[str], list[list]]:
    """One row a corruption and severity, the pictures as they are first; against another run, the gap too."""
    table = corruptions(services.store, selection)
    head = ["corruption", "severity", "level", *COUNTED, *(GAP if table.other else [])]
    rows = [
        [c.name, int(c.degree), c.level, *_row(c), *(_gap(c) if table.other else [])]
        for c in (table.clean, *table.cells)
    ]
    if table.mean:
        middle, low, high, n = (*(round(x, 6) for x in table.mean[:3]), table.mean[3])
        numbers = ["", "", "", "", "", n, middle, low, high] if table.other else [n, "", middle, low, high]
        rows.append(["mean", "", "", *numbers])
    return head, rows


def attack_rows(services: Services, selection: Selection) -> tuple[list[str], list[list]]:
    """One row an attack and epsilon, in 255ths; against another run, the gap too."""
    table = attacks(services.store, selection)
    head = ["attack", "epsilon of 255", *COUNTED, *(GAP if table.other else [])]
    return head, [[c.name, c.degree, *_row(c), *(_gap(c) if table.other else [])] for c in table.cells]


def flip_rows(services: Services, selection: Selection) -> tuple[list[str], list[list]]:
    """The pictures that flip in the cell of the address, by id."""
    if selection.under is None:
        raise Missing("No corruption or attack is chosen.")
    run = services.store.shown(selection.run)
    flipped = flips(run, selection.under)
    asked, names, cell = flipped.predictions, run.classes, [flipped.name, flipped.degree, SPLIT]
    return ["under", "degree", "split", "example_id", "true", "said then"], [
        [*cell, int(asked.ids[i]), names[asked.labels[i]], names[asked.worse[i]]] for i in flipped.rows
    ]


def attempt_rows(services: Services, selection: Selection) -> tuple[list[str], list[list]]:
    """The picture under attack, a row a number of it: as it was and as it is, of 255."""
    query = question(services, selection)
    attempt = tried(services, query)
    return ["example_id", "row", "column", "channel", "before", "after", "change"], [
        [
            query.example_id, i + 1, j + 1, k + 1, int(query.image[i, j, k]),
            *(float(f"{255 * float(part[0, i, j, k]):.6g}") for part in (attempt.images, attempt.change)),
        ]
        for i, j, k in np.ndindex(query.image.shape)
    ]  # fmt: skip
