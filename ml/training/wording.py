"""A training's choices in words: what each is called, what it does, how a value reads, alone and in a sentence, and
what differs between two. Never torch."""

from collections.abc import Mapping
from typing import Any

LABELS = {
    "model": "Model", "dataset": "Data set", "epochs": "Epochs", "batch_size": "Batch size",
    "micro_batch": "Micro-batch",
    "learning_rate": "Learning rate", "optimiser": "Optimiser", "momentum": "Momentum", "schedule": "Schedule",
    "warmup": "Warm-up", "weight_decay": "Weight decay", "label_smoothing": "Label smoothing", "dropout": "Dropout",
    "batch_norm": "Batch normalisation", "augment": "Augmentation", "ema": "Weight averaging",
    "flip_test": "Mirrored answers", "pretrained": "Published weights", "frozen_epochs": "Frozen epochs",
    "frozen_layers": "Frozen layers", "frozen_norm": "Frozen normalisation", "layer_decay": "Rate decay by layer",
    "first_side": "First size",
    "labels": "Corrected labels", "feedback": "Accepted feedback",
    "teacher": "Teacher", "teacher_share": "Teacher's share", "teacher_temperature": "Teacher's temperature",
    "precision": "Precision", "seed": "Seed",
    "train_images": "Training images", "threads": "Threads", "name": "Name",
}  # fmt: skip
"""A field's name as a form writes it, in the order in which a table lists them."""

HELP = {
    "model": "The network. More parameters mostly learn more, and take longer.",
    "dataset": "The pictures to learn from.",
    "epochs": "How often every training picture is looked at. More is better up to a point, and takes longer.",
    "batch_size": "Pictures per step. Larger is faster a picture, smaller takes more steps an epoch.",
    "micro_batch": "Pictures of a step that are in memory at a time, for large ones: their gradients "
    "are accumulated over the batch. Empty: all of them.",
    "learning_rate": "How far a step goes at the peak. Too high and the loss explodes, too low and it crawls.",
    "optimiser": "The rule of a step: AdamW forgives a badly chosen rate, SGD with Nesterov momentum can end better, "
    "Muon learns most per picture and wants a rate about ten times AdamW's.",
    "momentum": "How much of the last steps goes on in this one (of AdamW, its first beta).",
    "schedule": "How the rate moves. One cycle and cosine fall to nothing at the end; one cycle also varies momentum.",
    "warmup": "The share of all steps in which the rate rises to its peak.",
    "weight_decay": "Pulls weights towards zero against learning by heart. Decoupled with AdamW and Muon, L2 with SGD.",
    "label_smoothing": "The share of each target that is spread over all classes, so that the network stays less sure.",
    "dropout": "The share of features left out at random in each step. Empty keeps the model's own.",
    "batch_norm": "Switched off, layers that even out each batch are left out of models that have them.",
    "augment": "Changes each batch at random: mirrored, a part of it scaled up, its colours varied, "
    "moved by a pixel, a patch blanked.",
    "ema": "Keeps a running average of the weights, with this decay per step, and judges that. 0 is off.",
    "flip_test": "Each answer is the mean of two, of the picture and its mirror image (test-time augmentation): more "
    "often right, for up to twice the work. Not for what has a left and a right, as digits have.",
    "pretrained": "Begins with ImageNet weights, for models that have them.",
    "frozen_epochs": "The first epochs, in which only the head learns; the rest waits, computed once.",
    "frozen_layers": "The first layers, which keep their published weights to the end. More of them is faster.",
    "frozen_norm": "Batch normalisation keeps the mean and deviation of the published weights, for small batches.",
    "layer_decay": "Discriminative rates: each layer learns at this share of the rate of the one behind it. 1 is off.",
    "first_side": "Progressive resizing: pictures begin with this many pixels a side and grow. Empty: whole.",
    "labels": "The name of labels corrected on the Review page, which gives it. Empty: as they are.",
    "feedback": "The name of feedback accepted on the Feedback page, which gives it. Empty: none.",
    "teacher": "Knowledge distillation: the name of a run, or of several with commas between, whose mean answer to "
    "each changed picture is learned from beside the label. A small network mostly gains by a better one. Empty: none.",
    "teacher_share": "The share of the loss that the teacher's answers have; the labels have the rest.",
    "teacher_temperature": "Softens both answers before they are compared; more of it, and doubts count more.",
    "precision": "Of the arithmetic. Automatic takes bfloat16 where the processor computes in it, which is faster.",
    "seed": "Of everything random. The same seed and settings give the same run on the same processor.",
    "train_images": "A part of the training pictures, the same share of each class, for a quick try.",
    "threads": "Processor threads. Empty takes all cores.",
    "name": "What the run is called, as you would write it: My Net 2. Empty: made from model and seed.",
}
"""One sentence or two on what a choice does; a field that is missing here says what TrainConfig says of it."""

WORDS = {
    "adamw": "AdamW", "sgd": "SGD, Nesterov", "muon": "Muon", "one_cycle": "One cycle", "cosine": "Cosine",
    "constant": "Constant", "auto": "Automatic", "float32": "float32", "bfloat16": "bfloat16", "flip": "Flip",
    "shift": "Shift", "erase": "Erase", "crop": "Crop", "colour": "Colour",
    "mixup": "Mixup", "cutmix": "CutMix",
}  # fmt: skip
"""Choices as they read."""

IN_A_SENTENCE = {
    "sgd": "SGD with Nesterov momentum", "one_cycle": "one-cycle", "cosine": "cosine", "constant": "constant",
    "flip": "mirrored left to right", "shift": "moved by a pixel",
    "colour": "varied in brightness, contrast and colour",
    "crop": "cut to a part of themselves and scaled up", "erase": "with a random rectangle blacked out",
    "mixup": "half of them mixed with another (mixup)",
    "cutmix": "half of them with a rectangle of another (CutMix)",
}  # fmt: skip
"""Choices that read differently within one."""

UNSET_TEXTS = {
    "dropout": "the model's own", "train_images": "all", "threads": "all cores", "augment": "none",
    "labels": "as given", "feedback": "none", "micro_batch": "the whole batch",
    "first_side": "whole pictures", "teacher": "none",
}  # fmt: skip
OFF_AT_ZERO = (
    "ema",
    "frozen_epochs",
    "frozen_layers",
    "dropout",
    "label_smoothing",
    "weight_decay",
    "warmup",
    "momentum",
)
AS_WRITTEN = (
    "seed",
    "model",
    "dataset",
    "labels",
    "feedback",
    "teacher",
)  # a seed is a name, so its digits are not grouped
FROZEN = {"labels": "as corrected on Review (version {})", "feedback": "as accepted on Feedback (version {})"}
YOUNGER = {
    "labels": None,
    "feedback": None,
    "micro_batch": None,
    "frozen_layers": 0,
    "frozen_norm": False,
    "layer_decay": 1.0,
    "first_side": None,
    "teacher": None,
    "teacher_share": 0.9,
    "teacher_temperature": 2.0,
}  # fields that the first runs had not, and what held for them
UNKNOWN = "not recorded"


def label(name: str) -> str:
    """What a field is called."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def text(name: str, value: object) -> str:
    """A field's value as people read it: 'One cycle', '55,000', 'off', 'Flip, Shift', 'the model's own'."""
    if value is None or value == [] or value == ():
        return UNSET_TEXTS.get(name, "none")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(text(name, part) for part in value)
    if isinstance(value, int | float):
        if value == 0 and name in OFF_AT_ZERO:
            return "off"
        if isinstance(value, float):  # 0.00001 as it is typed, not 1e-05
            return f"{float(f'{value:.6g}'):.10f}".rstrip("0").rstrip(".")
        return str(value) if name in AS_WRITTEN else f"{value:,}"
    if name in FROZEN:
        return FROZEN[name].format(str(value)[:6])
    return str(value) if name in AS_WRITTEN else WORDS.get(str(value), str(value))


def recipe(config: Mapping[str, Any], best_epoch: int | None = None, *, mirrored: bool = False) -> str:
    """A training in sentences. config: of any age, so that anything but the epochs and the seed may be missing;
    mirrored: the network answers by a picture and its mirror image, which a config of before does not tell."""

    def of(name: str, default: object = "?") -> str:
        value = str(config.get(name, default))
        return IN_A_SENTENCE.get(value, WORDS.get(value, value))

    changes = [IN_A_SENTENCE.get(name, str(name)) for name in config.get("augment") or ()]
    extras = [
        f"label smoothing {of('label_smoothing')}" if config.get("label_smoothing") else "",
        f"weights averaged with decay {of('ema')}" if config.get("ema") else "",
        f"dropout {of('dropout')}" if config.get("dropout") is not None else "",
        "no batch normalisation" if config.get("batch_norm") is False else "",
        "began with published ImageNet weights" if config.get("pretrained") else "",
        f"{of('teacher_share')} of the loss by the answers of {of('teacher')}" if config.get("teacher") else "",
    ]
    sentences = [
        f"{of('epochs', None)} epoch{'' if of('epochs') == '1' else 's'} in batches of {of('batch_size')} with "
        f"{of('optimiser')}, learning rate {of('learning_rate')}, {of('schedule', 'one_cycle')} schedule, weight decay "
        f"{of('weight_decay', 0)}, seed {of('seed', None)}.",
        f"Pictures were {', '.join(changes)} at random." if changes else "Pictures were used as they are.",
        f"Also: {', '.join(filter(None, extras))}." if any(extras) else "",
        f"Epoch {best_epoch} was best on validation and is kept." if best_epoch else "",
        "Each answer is the mean of two, of the picture and its mirror image." if mirrored else "",
    ]
    return " ".join(filter(None, sentences))


def span(low: float, high: float) -> str:
    """What a number may be, both ends allowed: '1 to 200', '0.00001 to 2', '16 to 2,048'."""
    return " to ".join(f"{end:,.6f}".rstrip("0").rstrip(".") for end in (low, high))


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Names of the fields in which two configs of runs or jobs differ, one that only one of them has among them."""
    return [
        name
        for name in [*LABELS, *sorted({*a, *b} - {*LABELS, "twins"})]
        if (name in a or name in b) and not _same(*(config.get(name, YOUNGER.get(name, ...)) for config in (a, b)))
    ]


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(label, a's value, b's value) in words, for each field in which two configs of runs or jobs differ.

    A field that only one of them has (an older program wrote the other) counts as different and reads 'not recorded'.
    """
    return [(label(name), _read(name, a), _read(name, b)) for name in differing(a, b)]


def _read(name: str, config: Mapping[str, Any]) -> str:
    return text(name, config.get(name)) if name in config or name in YOUNGER else UNKNOWN


def _same(a: object, b: object) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return sorted(map(str, a)) == sorted(map(str, b))
    return a == b and isinstance(a, bool) == isinstance(b, bool)
