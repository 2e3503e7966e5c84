"""What the person is looking at: one value, in the URL, the same on every page."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dashboard.state import query
from dashboard.state.values import Lasso, MatrixView
from dashboard.state.vocabulary import BUCKETS, OUTCOMES, UNLABELLED
from ml.stats.failure_modes import OF_MISTAKES

COUNTS = MatrixView()
# What each field of a selection is for.
SUBJECT = ("run", "data", "against", "split", "epoch", "labels")  # whose answers
FILTERS = ("true", "pred", "outcome", "bucket", "conf", "tempered", "reject", "lasso", "ids", "tag", "slice")
ATTENTION = ("contrast", "versus", "look")  # what the attention of the selected images is held against
ANSWER = ("scaling", "level", "abstain")  # how an answer is given
UPLOADS = ("ask",)  # who answers about a picture of one's own
PREPARATION = ("way", "edits")  # how the studio's picture came to be
LISTS = ("state", "text", "since")  # of Feedback and Monitoring
DATASETS = ("dataset",)  # the set that the Data page shows, or a training is to learn from
VIEW = ("matrix", "sort", "page", "sample")  # how it is shown, and where in it one is
ROBUSTNESS = ("under", "attack", "epsilon", "target")
OF_LABELS = ("true", "outcome", "bucket", "epoch", "labels", "contrast", "versus")  # that say nothing without labels
RELISTED = (*SUBJECT, *FILTERS, "state", "text", "sort")  # a change of one makes another gallery


@dataclass(frozen=True)
class Selection:
    """The fields are the query names. true and pred hold class names; page counts from 1.

    Read from a URL by `parse`, written by `query`. What could not be read is in `dropped`, in words, and not in the
    query.
    """

    run: str | None = None
    data: str | None = None  # the digest of the pictures that a link was of
    dataset: str | None = None
    against: str | None = None
    split: str = "test"
    true: tuple[str, ...] = ()
    pred: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    bucket: tuple[str, ...] = ()
    conf: tuple[float, float] | None = None
    tempered: tuple[float, float] | None = None
    reject: float | None = None
    lasso: Lasso | None = None
    ids: tuple[int, ...] = ()
    tag: tuple[str, ...] = ()
    slice: tuple[str, ...] = ()
    epoch: int | None = None
    labels: str | None = None
    contrast: str | None = None
    versus: str | None = None  # whose attention is beside the selection's: one of VERSUS, or the address of another one
    look: str | None = None  # how attention is asked for: 'occlusion', 'grad-cam,label'
    scaling: str | None = None
    level: int = 95
    abstain: float | None = None  # the confidence under which the studio gives no answer
    way: str | None = (
        None  # how the studio's picture was prepared (ml.images.preparation_variants); the usual way when not said
    )
    ask: str | None = None  # the run that one's own pictures are given to; the one that knows their kind when not said
    edits: str | None = None  # how the studio's picture is changed by hand, 'rot:15,shift:2:-1'
    state: str | None = None  # of feedback, one of STATES
    text: str | None = None  # looked for in feedback
    since: str | None = None  # how far back Monitoring looks, one of SINCE; an hour when not said
    matrix: MatrixView = COUNTS
    under: str | None = None  # whose flipped images are shown: 'noise:3' at that severity, 'pgd:0.5' at that epsilon
    attack: str | None = None  # how the picture is attacked: one of ATTACKS, within epsilon of 255, towards a class
    epsilon: float | None = None
    target: str | None = None
    sort: str = "confident"
    page: int = 1
    sample: int | None = None
    dropped: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, search: object) -> "Selection":
        """From a URL's search part; never raises. Unknown names and bad values end in `dropped`."""
        values, dropped = query.parse(search if isinstance(search, str) else "")
        return cls(**values, dropped=dropped)

    def query(self) -> str:
        """The URL's search part, '' when everything is at its default. Field order is fixed, so equal means equal."""
        return query.written(self.items())

    def permalink(self) -> str:
        """The same as `query` with the split written out, whatever the default: for links that are to last."""
        items = self.items()
        place = next((i for i, (name, _) in enumerate(items) if name not in ("run", "data", "against")), len(items))
        named = [*items[:place], ("split", self.split), *(item for item in items[place:] if item[0] != "split")]
        return query.written(named)

    def items(self) -> list[tuple[str, object]]:
        """(name, value) of every field that is not at its default, `dropped` aside."""
        return [
            (f.name, getattr(self, f.name))
            for f in fields(self)
            if f.name != "dropped" and getattr(self, f.name) != f.default
        ]

    def with_(self, **changes: Any) -> "Selection":
        """A changed copy. Changing what narrows the examples goes back to page 1 and closes the drawer; another
        example is prepared in the usual way and not changed by hand."""
        if any(name in changes for name in RELISTED):
            changes = {"page": 1, "sample": None, **changes}
        if changes.get("run", self.run) != self.run:
            changes = {"data": None, "ask": None, **changes}  # the digest was of the other run's pictures
        if "sample" in changes:
            changes = {**dict.fromkeys(PREPARATION), **changes}
        return replace(self, **changes)

    def toggle(self, name: str, value: str | tuple[str, ...], *, add: bool = False) -> "Selection":
        """Set a class field (true or pred) to one value, or to several at once; where it is set already, remove it.

        add: keep the field's other values instead of replacing them.
        """
        now, values = getattr(self, name), _tuple(value)
        if set(values) <= set(now) and (add or now == values):
            return self.with_(**{name: tuple(v for v in now if v not in values)})
        return self.with_(**{name: tuple(dict.fromkeys((*now, *values))) if add else values})

    def cell(self, true: str | tuple[str, ...], pred: str | tuple[str, ...], *, add: bool = False) -> "Selection":
        """The pictures of one cell of the matrix, whatever their outcome; where it is chosen already, let go of it.

        true, pred: a class, or the classes that share a row or column.
        """
        rows, columns = _tuple(true), _tuple(pred)
        if self.true == rows and self.pred == columns:
            return self.with_(true=(), pred=(), outcome=())
        if not add:
            return self.with_(true=rows, pred=columns, outcome=())
        join = {"true": (*self.true, *rows), "pred": (*self.pred, *columns)}
        return self.with_(outcome=(), **{name: tuple(dict.fromkeys(values)) for name, values in join.items()})

    def explicit(self) -> "Selection":
        """The same examples with the outcome that holds by default written out."""
        return self.with_(outcome=self.outcomes) if not self.narrowed else self

    def differing(self) -> "Selection":
        """The same examples on a page about two runs: without any filter, what one run alone has right is meant."""
        return self if self.narrowed else self.with_(bucket=BUCKETS[1:3])

    def of_split(self, split: str) -> "Selection":
        """The same filters on another split; one without labels, and from it on, without what is about labels."""
        if UNLABELLED not in (split, self.split) or split == self.split:
            return self.with_(split=split)
        gone = {f.name: f.default for f in fields(self) if f.name in (*OF_LABELS, "ids", "lasso", "slice", "sort")}
        return self.with_(**{**gone, "split": split})

    def swapped(self, run: str, against: str) -> "Selection":
        """The same comparison seen from the other side: run and against are those it was. What was A's alone goes."""
        other = {"only-a": "only-b", "only-b": "only-a"}
        buckets = tuple(other.get(name, name) for name in self.bucket)
        gone = {"outcome": (), "conf": None, "tempered": None, "reject": None, "lasso": None, "contrast": None}
        return self.with_(run=against, against=run, bucket=buckets, **gone)

    def clear(self) -> "Selection":
        """Without anything that narrows the examples, nor a second cell beside them."""
        return self.with_(contrast=None, **{f.name: f.default for f in fields(self) if f.name in FILTERS})

    def view(self, **changes: Any) -> "Selection":
        """With the matrix drawn another way; the place in the gallery stays."""
        return replace(self, matrix=replace(self.matrix, **changes))

    def beside(self, true: str, pred: str) -> "Selection":
        """The cell of the matrix to hold the chosen one against; the first one is chosen, not held against anything."""
        if not self.true and not self.pred:
            return self.cell(true, pred)
        text = f"{true}~{pred}"
        return replace(self, contrast=None if self.contrast == text else text)

    def other_cell(self, classes: Sequence[str]) -> tuple[str, str] | None:
        """(truth, guess) of `contrast`, None where it names none of these classes. A name may hold the ~ itself."""
        parts = (self.contrast or "").split("~")
        pairs = (("~".join(parts[:i]), "~".join(parts[i:])) for i in range(1, len(parts)))
        return next((pair for pair in pairs if pair[0] in classes and pair[1] in classes), None)

    def contrasted(self, classes: Sequence[str]) -> "Selection | None":
        """The same selection with the other cell in place of the chosen one, None without one."""
        pair = self.other_cell(classes)
        if pair is None:
            return None
        return self.with_(true=pair[:1], pred=pair[1:], outcome=(), contrast=None)

    def here(self, **keep: Any) -> "Selection":
        """What a link to another page carries: the filters, not the place in the gallery."""
        return replace(self, page=1, sample=None, way=None, edits=None, **keep)

    @property
    def narrowed(self) -> bool:
        """Whether anything narrows the examples."""
        return any(name in FILTERS for name, _ in self.items())

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What holds: without any filter the mistakes, since that is what people come for; () for both.

        Without labels nothing is right or wrong, and every image is meant.
        """
        if not self.narrowed and self.split == UNLABELLED:
            return ()
        if not self.narrowed:
            return ("wrong",)
        return () if len(self.outcome) == len(OUTCOMES) else self.outcome

    def settled(self, without: Sequence[str] = ()) -> str:
        """'right' or 'wrong' where the chips alone say that every image is; '' where the answers decide it.

        A number about how often such images are right says what was chosen, nothing of the run. without: chips that do
        not count.
        """
        chips = {name: () if name in without else getattr(self, name) for name in ("true", "pred", "bucket", "tag")}
        if "outcome" not in without and len(self.outcomes) == 1:
            return self.outcomes[0]
        true, pred = set(chips["true"]), set(chips["pred"])
        if true and pred and (not true & pred or (true == pred and len(true) == 1)):
            return "right" if true & pred else "wrong"
        if self.epoch is not None:  # who is right, and tags, are as the run answers in the end
            return ""
        buckets = set(chips["bucket"])
        if buckets and (buckets <= set(BUCKETS[:2]) or buckets <= set(BUCKETS[2:])):
            return "right" if buckets <= set(BUCKETS[:2]) else "wrong"
        tags = set(chips["tag"]) if self.labels is None else set()  # which are by the labels that came with the images
        return "wrong" if tags and tags <= set(OF_MISTAKES) else ""

    @property
    def buckets(self) -> tuple[str, ...]:
        """What holds; () for all four."""
        return () if len(self.bucket) == len(BUCKETS) else self.bucket


def _tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
