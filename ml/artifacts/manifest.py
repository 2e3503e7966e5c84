"""What a manifest must say, key by key. Checked for every run that is listed: pages read these keys without asking."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ml.artifacts import kinds
from ml.artifacts.schema import MAJOR, RUN_ID, Mismatch
from ml.data.base import CLASSES, unprintable

Name = Annotated[str, StringConstraints(pattern=RUN_ID.pattern.removesuffix("$") + r"\z")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Line = Annotated[str, StringConstraints(max_length=400)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
Count = Annotated[int, Field(ge=0, le=10**12)]
Setting = Line | int | float | bool
Seconds = Annotated[float, Field(ge=0)]
LONG = 100_000  # letters of a command that names many files


class Part(BaseModel):
    """Unknown keys are let through: a later minor version may have added them."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Data(Part):
    name: Name
    title: Word
    classes: list[Word] = Field(min_length=2, max_length=CLASSES)
    height: int = Field(ge=1, le=4_096)
    width: int = Field(ge=1, le=4_096)
    channels: int = Field(ge=1, le=4)
    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]
    complete: bool = True
    fitting: Line = ""
    counts: dict[Word, Count]

    @model_validator(mode="after")
    def consistent(self) -> "Data":
        if len(set(self.classes)) != len(self.classes) or any(unprintable(name) for name in self.classes):
            raise ValueError("class names must differ and be printable")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError("mean and std need one number a channel")
        return self


class Result(Part):
    """loss: None where probabilities are not known."""

    correct: Count
    n: int = Field(ge=1, le=10**9)
    loss: float | None = None

    @model_validator(mode="after")
    def consistent(self) -> "Result":
        if self.correct > self.n:
            raise ValueError("more right answers than examples")
        return self


class Config(Part):
    epochs: int = Field(ge=1, le=10**6)
    seed: int


class Layer(Part):
    name: Word
    kind: Word
    settings: Line
    shape: list[Count] = Field(max_length=8)
    parameters: Count


class File(Part):
    sha256: Digest


class Machine(Part):
    processor: Line
    cores: int | None
    threads: int


class Twin(Part):
    """of: the run that was asked for; what: in what alone it differs; side: new or twin; job: that trained them, '' where a
    run is from before it was kept: a job that was cancelled may leave twins of a name that the next one takes."""

    of: Name
    job: Line = ""
    what: Word
    side: Word
    seed: int


class Manifest(Part):
    """The whole of it. What only some kinds of run must say may be missing: ml.artifacts.kinds.KEYS."""

    schema_: Line = Field(alias="schema")
    run_id: Name
    kind: Literal["trained", "imported", "recorded"] = "trained"
    capabilities: list[Word] | None = Field(default=None, max_length=20)
    model: Annotated[str, StringConstraints(pattern=r"^((timm|torchvision):[a-z0-9_]{1,60}|[a-z0-9_]{1,40})\z")]
    network: dict[Word, int | float | bool | None] | None = Field(default=None, alias="model_config")
    dataset: Data
    config: Config | None = None
    settings: dict[Word, Setting | list[Setting]] | None = Field(default=None, max_length=200)
    train_images: Count | None = None
    parameters: Count | None = None
    layers: list[Layer] = Field(default=[], max_length=2_000)
    results: dict[Word, Result]
    seconds: Seconds
    training_seconds: Seconds | None = None
    machine: Machine
    created: Line
    weights: File | None = None
    interface: dict[str, Any] | None = None
    doctor: dict[str, Any] | None = None
    nouns: dict[Word, File]
    twin: Twin | None = None
    empty: list[Word] = Field(default=[], max_length=100)
    best_epoch: int = Field(default=0, ge=0)
    preparation: list[Word] = Field(default=[], max_length=20)
    bytes: Count | None = None
    latency_ms: Seconds | None = None
    moved: dict[Word, Count] = {}
    explained_variance: list[float] = Field(default=[], max_length=3)
    temperature: float | None = Field(default=None, gt=0)
    torch: str | None = Field(default=None, max_length=LONG)
    git: str | None = Field(default=None, max_length=LONG)
    command: str | None = Field(default=None, max_length=LONG)

    @model_validator(mode="after")
    def consistent(self) -> "Manifest":
        if "test" not in self.results and (self.kind == kinds.TRAINED or "validation" not in self.results):
            raise ValueError("results must name test")
        if self.kind == kinds.TRAINED and any(result.loss is None for result in self.results.values()):
            raise ValueError("results must have a loss")
        return self


def check(manifest: Any) -> None:
    """Raise Mismatch with a reason in words unless this is the manifest of a run that this version can read."""
    if not isinstance(manifest, dict):
        raise Mismatch("its manifest.json is not an object")
    if str(manifest.get("schema", "")).split(".")[0] != str(MAJOR):
        raise Mismatch(f"it was written for schema {str(manifest.get('schema'))[:20]!r}, this app reads {MAJOR}.x")
    try:
        Manifest.model_validate(manifest)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False, include_context=False)
        missing = [_place(error) for error in errors if error["type"] == "missing"]
        if missing:
            raise Mismatch(f"its manifest.json lacks {', '.join(missing[:5])}") from None
        words = errors[0]["msg"].removeprefix("Value error, ")
        raise Mismatch(f"its manifest.json is wrong at {_place(errors[0])}: {words}"[:300]) from None
    absent_keys = [key for key in kinds.KEYS[kinds.kind_of(manifest)] if manifest.get(key) is None]
    if absent_keys:
        raise Mismatch(f"its manifest.json lacks {', '.join(absent_keys[:5])}")
    core = kinds.core(manifest)
    if any(noun not in manifest["nouns"] for noun in core):
        raise Mismatch("it lacks " + " or ".join(core))


def check_dataset(description: Any) -> None:
    """Raise Mismatch, in words, unless a manifest may say this of its data set: asked before any work is done on it."""
    try:
        Data.model_validate(description)
    except ValidationError as wrong:
        error = wrong.errors(include_url=False, include_input=False, include_context=False)[0]
        words = error["msg"].removeprefix("Value error, ")
        raise Mismatch(f"no run can be made of this data set: {_place(error)}: {words}"[:300]) from None


NONE_FOUND = {
    "slices": "No group of images is wrong more often than the rest: looked for, and none found.",
    "filters": "This network has no convolutions, so it has no filters to show.",
    "unlabelled": "No picture of this data set is without a label.",
    "calibration": "There is no temperature of this run: it has no validation image to fit one on.",
    "conformal": "There are no prediction sets of this run: it has no validation image to choose them on.",
}
"""What is said of a noun that was looked for and came to nothing, where a sentence says more than its name."""


MADE_WITH = {"unlabelled_neighbours": "unlabelled"}  # nouns that come of making another, and are asked for themselves


def absent(manifest: Mapping[str, Any], noun: str) -> tuple[str, str]:
    """What to say of a noun that is not there, and the command that makes it: none where it would make nothing."""
    noun = MADE_WITH.get(noun, noun)
    if need := kinds.lacking_for(manifest, noun):
        return kinds.lacks(need, kinds.kind_of(manifest)), ""
    if noun in manifest.get("empty", ()):
        return NONE_FOUND.get(noun, f"There are no {noun.replace('_', ' ')} of this run: looked for, and none found."), ""
    return f"This run has no {noun.replace('_', ' ')} yet.", f"python -m ml evaluate {manifest['run_id']} --only {noun}"


def _place(error: Any) -> str:
    return ".".join(str(part)[:40] for part in error["loc"]) or "the top"
