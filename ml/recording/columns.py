"""What the columns of a table of predictions are for: told by their names and what is in them, or as a person says."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml.images.file_names import normal
from ml.recording import numbers
from ml.recording.files import DIGESTS, FILES, IDS, Table

ROLES = ("id", "path", "digest", "split", "epoch", "label", "predicted", "confidence", "values", "features", "top")
# names of columns, as in ml.recording.files
SPLITS = ("split", "splits", "subset", "partition", "set", "fold", "phase")
EPOCHS = ("epoch", "epochs")
PREDICTED = ("predicted", "predictedlabel", "predictedclass", "prediction", "predictions", "pred", "preds", "ypred",
             "yhat", "predlabel", "predclass", "predictedid", "predlabels", "argmax", "answer", "output")  # fmt: skip
TRUTHS = ("true", "truth", "ytrue", "groundtruth", "truelabel", "trueclass", "target", "targets", "actual", "gt", "y",
          "labeltrue", "labelids", "truelabels", "targetids")  # fmt: skip
LABELS = ("label", "labels", "class", "classname", "labelname", "category", "classid", "labelid", "cls")
CONFIDENCES = ("confidence", "conf", "score", "probability", "prob", "maxprob", "maxprobability", "certainty", "proba")
VALUES = ("probabilities", "probability", "probs", "prob", "proba", "yprob", "yproba", "p", "scores", "softmax",
          "logits", "logit", "outputs", "output", "ypred", "predictions", "prediction", "yscore",
          "logprobs")  # fmt: skip
FEATURES = ("features", "feature", "embedding", "embeddings", "featurevector", "vector", "representation", "x")
TOPS = ("top", "topk", "predictions", "prediction", "scores", "labels", "results", "classes")
BEFORE = (r"(p|prob|probs|probability|probabilities|proba|score|scores|logit|logits|conf|confidence|pred|prediction|"
          r"class|output|outputs|softmax|y_prob|y_score|log_prob|logprob)")  # fmt: skip
VALUE = re.compile(rf"{BEFORE}[\s_.:/\-\[(]+(.+?)[\])]?", re.IGNORECASE)
BEHIND = re.compile(rf"(.+?)[\s_.:/\-\[(]+{BEFORE}[\])]?", re.IGNORECASE)
FEATURE = re.compile(
    r"(feature|features|feat|embedding|embed|emb|vector|dim|latent|f|z)[\s_.\-\[]*(\d+)\]?", re.IGNORECASE
)
TOP = re.compile(
    r"(?:top|pred|predicted|prediction|class|label)[\s_\-]?(\d+)(?:[\s_\-](?:label|class|name))?", re.IGNORECASE
)
SURE = r"(?:p|prob|probability|score|confidence|conf)"
TOP_VALUE = re.compile(
    rf"(?:top|pred|predicted|prediction)?[\s_\-]?(?:{SURE}[\s_\-]?(\d+)|(\d+)[\s_\-]{SURE})", re.IGNORECASE
)


class Unclear(ValueError):
    """Predictions of which somebody has to say more. columns: of the file; classes: what it calls those that the data
    set has under no such name → the one that it may mean, '' for none."""

    def __init__(self, words: str, columns: Sequence[str], classes: Mapping[str, str]) -> None:
        super().__init__(words)
        self.columns, self.classes = [*columns], dict(classes)


@dataclass
class Columns:
    """Names of columns by what they are for, '' or nothing where none is. values: class id → column; block: the column
    that holds the numbers of all classes, by class id; single: of two classes the one that has a number for `positive`
    alone, which its name says or is assumed; top: (labels, numbers) columns of each place of a list; listed:
    the one column of lists; unknown: what value columns call classes that the data set has not; suggested: the same →
    class; by_number: whether numbers of classes are by their number, which is assumed."""

    keys: list[tuple[str, str]] = field(default_factory=list)  # (role, column), the likelier first
    split: str = ""
    epoch: str = ""
    label: str = ""
    predicted: str = ""
    confidence: str = ""
    values: dict[int, str] = field(default_factory=dict)
    block: str = ""
    single: str = ""
    positive: int = 1
    assumed: bool = False
    features: list[str] = field(default_factory=list)
    feature_block: str = ""
    top: list[tuple[str, str]] = field(default_factory=list)
    listed: str = ""
    unused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    suggested: dict[str, str] = field(default_factory=dict)
    by_number: bool = False
    notes: list[str] = field(default_factory=list)

    def unnamed(self, table: Table, classes: Sequence[str]) -> dict[str, str]:
        """Columns of numbers that are not used, where some classes have a column and others none: it may be theirs."""
        if not self.values or len(self.values) == len(classes):
            return {}
        return {name: "" for name in self.unused if name in table.columns and table.columns[name].dtype != object}

    def roles(self) -> dict[str, str]:
        """Of ROLES → the one column that has it, where one has; the first of those that tell pictures."""
        named = {
            **dict(self.keys[:1]), "split": self.split, "epoch": self.epoch, "label": self.label,
            "predicted": self.predicted, "confidence": self.confidence, "values": self.block or self.single,
            "features": self.feature_block, "top": self.listed,
        }  # fmt: skip
        return {role: name for role, name in named.items() if name}


def chosen(given: Sequence[str]) -> dict[str, str]:
    """--column ROLE=NAME, as role → name. Raises ValueError, in words."""
    found = {}
    for one in given:
        role, sign, name = one.partition("=")
        if role not in ROLES or not sign:
            raise ValueError(f"--column is ROLE=NAME, the role one of {', '.join(ROLES)}; it is {one!r}")
        found[role] = name
    return found


def understood(
    table: Table,
    classes: Sequence[str],
    given: Mapping[str, str],
    names: Mapping[str, str],
    *,
    suggestions: bool = False,
) -> Columns:
    """given: role → column; names: what the file calls a class → its name here, '' to leave it out; suggestions: take
    names that differ in case, spaces and underscores alone. Raises ValueError, in words."""
    there = [*table.columns, *table.blocks, *table.lists]
    for role, name in given.items():
        if name and name not in there:
            raise ValueError(f"{table.name} has no column {name!r} for --column {role}; it has {_some(there)}")
    found = Columns()
    _yes_or_no(table, classes, names)
    texts = {name: array for name, array in table.columns.items() if array.dtype == object}
    _roles(found, table, texts, given)
    taken = {found.split, found.epoch, found.predicted, found.confidence, *(column for _, column in found.keys)}
    rest = [name for name in table.columns if name not in taken]
    _features(found, table, rest, given)
    rest = [name for name in rest if name not in found.features]
    _values(found, table, [name for name in rest if name not in texts], classes, given, names, suggestions)
    _tops(found, table, [name for name in rest if name not in found.values.values()], given)
    _labels(found, table, [name for name in rest if name not in found.values.values()], given)
    used = {
        *taken,
        found.label,
        found.block,
        found.listed,
        found.feature_block,
        *found.features,
        *found.values.values(),
    }
    used |= {column for pair in found.top for column in pair}
    found.unused = [name for name in there if name not in {*used, found.predicted, found.confidence}]
    if len(classes) == 2 and not (found.values or found.block or found.top or found.listed or found.predicted):
        numeric = [name for name in rest if name not in texts and name != found.label]
        if not found.single and (name := given.get("values", _first(numeric, (*CONFIDENCES, *VALUES)))):
            found.single, found.assumed = name, True
    used.add(found.single)
    found.unused = [name for name in found.unused if name not in used]
    said = found.values or found.block or found.top or found.listed or found.predicted or found.single
    if not (said or found.suggested):
        if (words := _no_numbers(texts, classes, names)) is not None:
            raise ValueError(f"{table.name}: {words}")
        raise ValueError(
            f"{table.name}: which columns are the predictions? One number for each class, a top list or a predicted "
            f"label is looked for, and there are {_some(there)}. Say --column predicted=NAME, or rename the columns of "
            f"numbers to p_0 to p_{len(classes) - 1} or to the names of the classes"
        )
    return found


def _classes_among(there: Iterable[str], classes: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Columns that are called like classes, with or without a word before or behind."""
    found = []
    for name in there:
        bodies = [name, *(match[2] for match in [VALUE.fullmatch(name)] if match)]
        bodies += [match[1] for match in [BEHIND.fullmatch(name)] if match]
        if any(normal(names.get(body, body)) in classes for body in bodies):
            found.append(name)
    return found


def _yes_or_no(table: Table, classes: Sequence[str], names: Mapping[str, str]) -> None:
    """Columns of classes that hold true and false become 1 and 0."""
    texts = [name for name, array in table.columns.items() if array.dtype == object]
    for name in _classes_among(texts, classes, names):
        cells = [cell(one).casefold() for one in table.columns[name]]
        if {*cells} <= {"true", "false"}:
            table.columns[name] = np.array([float(one == "true") for one in cells])


def _no_numbers(texts: Mapping[str, np.ndarray], classes: Sequence[str], names: Mapping[str, str]) -> str | None:
    """Where columns are called like classes and hold something else than numbers."""
    mine = _classes_among(texts, classes, names)
    if not mine:
        return None
    filled = [one for one in map(cell, texts[mine[0]]) if one]
    shown = f"text such as {filled[0][:40]!r}" if filled else "nothing"
    return (
        f"the columns {_some(mine, 5)} are called like classes and hold {shown}: numbers are wanted, written as 0.25, "
        "0,25 or 25 %, without marks between thousands"
    )


def _some(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(map(repr, names[:most]))}{more}"


def _first(names: Sequence[str], known: Sequence[str]) -> str:
    ranked = [name for name in names if numbers.words(name) in known]
    return min(ranked, key=lambda name: known.index(numbers.words(name)), default="")


def _roles(found: Columns, table: Table, texts: Mapping[str, np.ndarray], given: Mapping[str, str]) -> None:
    for role, known in (("digest", DIGESTS), ("path", FILES), ("id", IDS)):
        if role in given:
            found.keys = [(role, given[role]), *found.keys] if given[role] else found.keys
        elif not {"digest", "path", "id"} & given.keys():
            ranked = sorted(
                (one for one in texts if numbers.words(one) in known), key=lambda n: known.index(numbers.words(n))
            )
            found.keys += [(role, name) for name in ranked]
    found.split = given.get("split", _first([*texts], SPLITS))
    found.epoch = given.get("epoch", _first([*table.columns], EPOCHS))


def _features(found: Columns, table: Table, rest: Sequence[str], given: Mapping[str, str]) -> None:
    named = given.get("features", _first([*table.blocks], FEATURES))
    if named in table.blocks:
        found.feature_block = named
        return
    numbered = [(int(match[2]), name, match[1].casefold()) for name in rest if (match := FEATURE.fullmatch(name))]
    stems = [stem for _, _, stem in numbered]
    stem = max(stems, key=stems.count, default="")
    mine = sorted((number, name) for number, name, one in numbered if one == stem)
    if len(mine) > 1 and [number for number, _ in mine] == list(range(mine[0][0], mine[0][0] + len(mine))):
        found.features = [name for _, name in mine]


def _values(
    found: Columns, table: Table, rest: Sequence[str], classes: Sequence[str], given: Mapping[str, str],
    names: Mapping[str, str], suggestions: bool,
) -> None:  # fmt: skip
    """The numbers of classes: a block, or a column each."""
    block = given.get("values", _first([one for one in table.blocks if one != found.feature_block], VALUES))
    if not block and len(others := [one for one in table.blocks if one != found.feature_block]) == 1:
        block = others[0] if table.blocks[others[0]].shape[1] == len(classes) else ""
    if block in table.blocks:
        _block(found, table, block, classes, names, suggestions)
        return
    groups: dict[str, dict[str, str]] = {"": {name: name for name in rest}}
    for name in rest:
        for match, stem, body in ((VALUE.fullmatch(name), 1, 2), (BEHIND.fullmatch(name), 2, 1)):
            if match:
                groups.setdefault(match[stem].casefold(), {})[match[body]] = name
    best = max(groups, key=lambda stem: (_fit([*groups[stem]], classes, names), bool(stem)))
    bodies = groups[best]
    digits = sorted((int(body), name) for body, name in bodies.items() if body.isdigit())
    exact = sum(normal(body) in classes for body in bodies)
    if len(digits) > 1 and not exact and (best or len(digits) == len(classes)) and not names:
        start = digits[0][0]
        if len(digits) != len(classes) or [n for n, _ in digits] != list(range(start, start + len(classes))):
            raise ValueError(
                f"{table.name} has {len(digits)} columns {digits[0][1]!r} to {digits[-1][1]!r}, and the data set "
                f"{len(classes)} classes: one for each, numbered without gaps, is needed"
            )
        found.values, found.by_number = dict(enumerate(name for _, name in digits)), True
        last = len(classes) - 1
        found.notes.append(
            f"columns {digits[0][1]!r} to {digits[-1][1]!r} are the classes by number, "
            f"{classes[0]!r} first and {classes[last]!r} last"
        )
        return
    if not _fit([*bodies], classes, names):
        return
    places = matched(list(bodies), classes, names, suggestions, found)
    found.values = {place: bodies[body] for body, place in places.items()}
    if best:
        found.unknown = [body for body in bodies if body not in places and names.get(body) != ""]
    if len(found.values) == 1 and len(classes) == 2 and not found.suggested:
        ((found.positive, found.single),) = found.values.items()
    if found.values and not found.suggested and len(found.values) < 2:
        found.values = {}


def _fit(bodies: Sequence[str], classes: Sequence[str], names: Mapping[str, str]) -> int:
    """How many of these are classes, by name, by name but for its form, or all of them by number."""
    known = {folded(name) for name in classes}
    named = sum(folded(names.get(body, body)) in known for body in bodies)
    return max(named, sum(body.isdigit() for body in bodies)) if len(bodies) > 1 else named


def _block(
    found: Columns, table: Table, block: str, classes: Sequence[str], names: Mapping[str, str], suggestions: bool
) -> None:
    width, found.block = table.blocks[block].shape[1], block
    if table.names and len(table.names) == width:
        places = matched(table.names, classes, names, suggestions, found)
        kept = {table.names.index(body): place for body, place in places.items()}
        found.notes.append(f"{block!r} has a number for each class, in the order of the names in the file")
        if [*kept.items()] != [(i, i) for i in range(len(classes))]:
            array = np.zeros((table.n, len(classes)), table.blocks[block].dtype)
            for column, place in kept.items():
                array[:, place] = table.blocks[block][:, column]
            table.blocks[block] = array
        found.unknown = [body for body in table.names if body not in places and names.get(body) != ""]
        return
    if width != len(classes):
        raise ValueError(f"{table.name}: {block!r} has {width} numbers a row, and the data set {len(classes)} classes")
    found.by_number = True
    found.notes.append(
        f"{block!r} has a number for each class by its number, {classes[0]!r} first and {classes[-1]!r} last"
    )


def matched(
    bodies: Sequence[str], classes: Sequence[str], names: Mapping[str, str], suggestions: bool, found: Columns
) -> dict[str, int]:
    """What the file calls a class → class id. Exact names go first; what differs in form alone is a suggestion, and
    taken where suggestions are."""
    places: dict[str, int] = {}
    first = {name: place for place, name in reversed([*enumerate(classes)])}
    for body in bodies:
        wanted = normal(names.get(body, body))
        if wanted in first:
            places[body] = first[wanted]
    taken = {*places.values()}
    free: dict[str, list[int]] = {}
    for place, name in enumerate(classes):
        if place not in taken:
            free.setdefault(folded(name), []).append(place)
    loose = [body for body in bodies if body not in places and names.get(body) != ""]
    forms = [folded(body) for body in loose]
    rivals = Counter(forms)
    for body, form in zip(loose, forms, strict=True):
        alike = free.get(form, ())
        if len(alike) == 1 and rivals[form] == 1:
            if suggestions:
                places[body] = alike[0]
                found.notes.append(f"{body!r} is taken as the class {classes[alike[0]]!r}")
            else:
                found.suggested[body] = classes[alike[0]]
    return places


def folded(name: str) -> str:
    """A name without case and what stands between its words; of signs alone, as it is: C++ and C# stay apart."""
    return re.sub(r"[\s_.:/\\-]+", "", normal(name).casefold()) or normal(name)


def _tops(found: Columns, table: Table, rest: Sequence[str], given: Mapping[str, str]) -> None:
    """Lists of the likeliest classes: one column of lists, or a column for each place."""
    if found.values or found.block:
        return
    listed = given.get("top", _first([*table.lists], (*TOPS, *VALUES)))
    if listed:
        found.listed = listed
        return
    labels = {int(match[1]): name for name in rest if (match := TOP.fullmatch(name))}
    values = {int(match[1] or match[2]): name for name in rest if (match := TOP_VALUE.fullmatch(name))}
    if len(labels) > 1 or (labels and 1 in labels and values):
        found.top = [(labels[place], values.get(place, "")) for place in sorted(labels)]


def _labels(found: Columns, table: Table, rest: Sequence[str], given: Mapping[str, str]) -> None:
    """The predicted label and the true one. `label` is the truth beside predictions, and the prediction where there
    is no other, or beside a column that can only be the truth."""
    free = [name for name in rest if name not in (found.predicted, found.confidence)]
    predicted, truth, label = _first(free, PREDICTED), _first(free, TRUTHS), _first(free, LABELS)
    more = found.values or found.block or found.top or found.listed
    if not predicted and label and (truth or not more) and not (truth and more):
        predicted, label = label, ""
        if not truth:
            found.notes.append(f"{predicted!r} is taken as the predicted label: there is no other prediction")
    found.predicted = given.get("predicted", predicted)
    found.label = given.get("label", truth or (label if label != found.predicted else ""))
    numeric = [
        name for name in rest if name not in (found.predicted, found.label) and table.columns[name].dtype != object
    ]
    confidence = _first(numeric, CONFIDENCES) if found.predicted and not more else ""
    found.confidence = given.get("confidence", confidence)


def cell(value: Any) -> str:
    """What a cell says of a class: 3.0 is 3."""
    if isinstance(value, float | np.floating):
        return "" if value != value else str(int(value)) if float(value).is_integer() else str(value)
    return " ".join(normal(str(value)).split()) if value is not None else ""
