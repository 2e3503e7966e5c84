"""What a training is asked to do: every choice, with its limits. Never imports torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from ml.models import MODELS, PRETRAINED, TIMM
from ml.models import NAME_PATTERN as MODEL_PATTERN

AUGMENTATIONS = ("flip", "crop", "colour", "shift", "erase", "mixup", "cutmix")
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
RUNS_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}(,[a-z0-9][a-z0-9_-]{0,63}){0,3}$"


def trainable(model: str) -> bool:
    """Whether a run of this network can be trained here: one of MODELS, or one of timm's."""
    return model in MODELS or model.startswith(TIMM)


class TrainConfig(BaseModel):
    """One training. Frozen; unknown fields and values outside their limits raise pydantic.ValidationError."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    model: str = Field("small_resnet", pattern=MODEL_PATTERN, description="a key of MODELS, or timm:<name>")
    dataset: str = Field("fashion-mnist", pattern=NAME_PATTERN, description="a data set's name")
    epochs: int = Field(10, ge=1, le=200, description="passes over the training pictures")
    batch_size: int = Field(256, ge=16, le=2048, description="pictures per step")
    micro_batch: int | None = Field(
        None,
        ge=4,
        le=2048,
        description="pictures of a step in memory at a time, their gradients added up; None for all",
    )
    learning_rate: float = Field(0.003, ge=1e-5, le=2.0, description="peak of the schedule")
    optimiser: Literal["adamw", "sgd", "muon"] = Field(
        "adamw", description="adamw, sgd with Nesterov momentum, or muon for kernels with adamw for the rest"
    )
    momentum: float = Field(0.9, ge=0.0, le=0.99, description="of sgd and muon; adamw's first beta")
    schedule: Literal["one_cycle", "cosine", "constant"] = Field(
        "one_cycle", description="one_cycle and cosine fall to nothing; one_cycle also lowers momentum while fast"
    )
    warmup: float = Field(0.25, ge=0.0, le=0.9, description="share of all steps in which the rate rises to its peak")
    weight_decay: float = Field(
        0.01, ge=0.0, le=1.0, description="decoupled for adamw and muon, L2 for sgd; on kernels and matrices only"
    )
    label_smoothing: float = Field(0.0, ge=0.0, le=0.5, description="share of the target spread over all classes")
    dropout: float | None = Field(None, ge=0.0, le=0.9, description="of every dropout layer; None for the model's own")
    batch_norm: bool = Field(True, description="False leaves batch normalisation out of models that have it")
    augment: tuple[Literal["flip", "crop", "colour", "shift", "erase", "mixup", "cutmix"], ...] = Field(
        ("flip",), description="random changes per batch"
    )
    ema: float = Field(0.0, ge=0.0, le=0.9999, description="decay per step of averaged weights; 0 for none")
    flip_test: bool = Field(False, description="answers by a picture and its mirror image together")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the forward and backward pass; auto is bfloat16 where the processor computes in it"
    )
    pretrained: bool = Field(False, description="start from published ImageNet weights, for models that have them")
    frozen_epochs: int = Field(
        0, ge=0, le=200, description="first epochs in which only the head learns, on features computed once"
    )
    frozen_layers: int = Field(
        0, ge=0, le=200, description="first layers that keep their published weights throughout, which takes less time"
    )
    frozen_norm: bool = Field(
        False, description="batch normalisation keeps the mean and deviation that came with published weights"
    )
    layer_decay: float = Field(
        1.0, ge=0.3, le=1.0, description="a layer's rate as a share of that of the layer behind it; 1 for one rate"
    )
    first_side: int | None = Field(
        None, ge=32, le=512, description="pixels of the shorter side at first, growing to the whole; None for whole"
    )
    labels: str | None = Field(
        None, pattern=r"^[0-9a-f]{16}$", description="corrected training labels, by name; None for the labels as given"
    )
    feedback: str | None = Field(
        None, pattern=r"^[0-9a-f]{16}$", description="accepted feedback to learn beside, by name; it names the start"
    )
    teacher: str | None = Field(
        None,
        pattern=RUNS_PATTERN,
        description="a run, or up to four with commas between, whose mean answer is learned from too",
    )
    teacher_share: float = Field(0.9, ge=0.0, le=1.0, description="of the loss; the labels have the rest")
    teacher_temperature: float = Field(2.0, ge=0.5, le=20.0, description="by which both answers are softened")
    seed: int = Field(7, ge=0, le=2**31 - 1, description="of initial weights, order, dropout and augmentation")
    train_images: int | None = Field(None, ge=100, le=10_000_000, description="stratified part of train; None for all")
    threads: int | None = Field(None, ge=1, le=256, description="torch threads; None for all cores")

    @field_validator("teacher", mode="before")
    @classmethod
    def _without_spaces(cls, value: object) -> object:
        return ",".join(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("pretrained")
    @classmethod
    def _are_published(cls, value: bool, info: ValidationInfo) -> bool:
        model = info.data.get("model")
        if value and model and model not in PRETRAINED:
            raise ValueError(f"there are no published weights of {model}; there are of {', '.join(PRETRAINED)}")
        if value and not info.data.get("batch_norm", True):
            raise ValueError("published weights need the batch normalisation they were trained with")
        return value

    @field_validator("batch_norm")
    @classmethod
    def _can_go(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and str(info.data.get("model")).startswith(TIMM):
            raise ValueError("timm's networks keep their batch normalisation")
        return value

    @field_validator("frozen_layers", "frozen_norm", "first_side")
    @classmethod
    def _is_published(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value and not info.data.get("pretrained", True):
            raise ValueError("this is for published weights: choose pretrained, or leave it as it is")
        return value

    @field_validator("frozen_epochs")
    @classmethod
    def _is_transfer(cls, value: int, info: ValidationInfo) -> int:
        if value and not info.data.get("pretrained", True):
            raise ValueError("without published weights there is nothing to hold still: choose pretrained, or 0")
        if value > info.data.get("epochs", value):
            epochs = info.data["epochs"]
            raise ValueError(
                f"{value} epochs with the network held still are more than the {epochs} there are: choose at most "
                f"{epochs} of them (0 for none), or more epochs"
            )
        return value
