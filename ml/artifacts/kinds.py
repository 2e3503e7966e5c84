"""What a run is made of: trained here, a network brought from elsewhere, or its predictions alone; and what it can do.

A manifest says its `kind` and its `capabilities`; one that says neither is of a run that was trained here, which can do
everything. What a noun and a panel need is named by these words, and where a run lacks it, `gives` says what would
bring it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

TRAINED, IMPORTED, RECORDED = KINDS = ("trained", "imported", "recorded")
# what a manifest may name. A run with all probabilities has the likeliest ones too.
CAPABILITIES = ("probabilities", "top-k", "features", "gradients", "layers")
NETWORK, TRAINING, LEARNED = FOLLOWING = ("network", "training", "history")  # what follows from the kind
NEEDS = (*CAPABILITIES, *FOLLOWING)
WEIGHTS, IMPORTED_NETWORK = "weights.safetensors", "network.onnx"
CORE: dict[str, tuple[str, ...]] = {
    TRAINED: ("history", "predictions"), IMPORTED: ("predictions",), RECORDED: ("predictions",)
}  # fmt: skip
"""Nouns that a run of each kind has from the start and that never change."""
KEYS: dict[str, tuple[str, ...]] = {
    TRAINED: ("model_config", "config", "train_images", "parameters", "training_seconds", "weights"),
    IMPORTED: ("parameters", "weights", "interface"),
    RECORDED: (),
}
"""What the manifest of each kind says besides what all of them say."""

NOUN_NEEDS: dict[str, str] = {
    "history": LEARNED,
    "calibration": "probabilities",
    "conformal": "probabilities",
    "label_issues": "probabilities",
    "features": "features",
    "neighbours": "features",
    "projection": "features",
    "filters": "layers",
    "familiarity": "layers",
    "suspects": NETWORK,
    "unlabelled": "features",
    "unlabelled_neighbours": "features",
    "preparation": NETWORK,
    "engines": NETWORK,
    "onnx": "layers",
    "int8": NETWORK,
    "robustness": NETWORK,
    "attacks": "gradients",
    "robustness_answers": NETWORK,
}
"""What a run must be able to do for a noun to be made of it; nothing for the others."""

ASKED = ("unlabelled", "unlabelled_neighbours", "onnx", "attacks")
"""Nouns of a network and more: of a run without one, that it has none is said first."""

TAG_NEEDS = {
    "top-2": "probabilities",
    "confidently-wrong": "probabilities",
    "unsure": "probabilities",
    "conflicting-neighbours": "features",
    "flips": NETWORK,
}
"""The same for the failure modes of the noun tags."""

LACKS = {
    NETWORK: "This needs a network that can be asked, and this run is its predictions alone.",
    TRAINING: "This needs to know how the network was trained, and this run was not trained here.",
    LEARNED: "This needs to know how the network learned, epoch by epoch, and nobody said so of this run.",
    "probabilities": "This needs the probabilities of all classes, which this run's predictions came without.",
    "top-k": "This needs to know how sure each answer is, and this run's predictions are labels alone.",
    "features": "This needs feature vectors of the images, which this run's predictions came without.",
    "gradients": "This needs the gradients of a network, and this run is its predictions alone.",
    "layers": "This needs to look into the layers of a network, and this run is its predictions alone.",
}
GIVES = {
    NETWORK: "A run with a network has it: one that was trained here, or imported.",
    TRAINING: "A run that was trained here has it.",
    LEARNED: "A run that was trained here has it, one that a training script publishes, and predictions of several epochs.",
    "probabilities": "Add the predictions again with a column of numbers for each class.",
    "top-k": "Add the predictions again with a confidence, or with a column of numbers for each class.",
    "features": "Add the predictions again with columns feature_0, feature_1, …, of training images too.",
    "gradients": "A run that was trained here has it.",
    "layers": "A run that was trained here has it.",
}
"""Of runs that are their predictions alone; IMPORTED_LACKS and IMPORTED_GIVES have what is otherwise of a network that
was imported."""

IMPORTED_LACKS = {
    "features": "This needs feature vectors of the images, and this network gives none.",
    "gradients": "This needs the gradients of a network, and this one gives its answers alone.",
    "layers": "This needs to look into the layers of a network, which are not known of one that came as ONNX.",
}
IMPORTED_GIVES = {
    "features": "Add the network again from a file that gives them as one more output, called features.",
    "gradients": "A run that was trained here has them. Occlusion and corruptions need answers alone.",
}


def lacks(need: str, kind: str = RECORDED) -> str:
    """Why a run of a kind cannot do what one of NEEDS names, in a sentence."""
    return {**LACKS, **(IMPORTED_LACKS if kind == IMPORTED else {})}[need]


def gives(need: str, kind: str = RECORDED) -> str:
    """What would bring it, in a sentence."""
    return {**GIVES, **(IMPORTED_GIVES if kind == IMPORTED else {})}[need]


def kind_of(manifest: Mapping[str, Any]) -> str:
    """One of KINDS; of runs from before there was more than one, trained."""
    return manifest.get("kind", TRAINED)


def has(manifest: Mapping[str, Any], need: str) -> bool:
    """Whether a run can do what one of NEEDS names."""
    kind = kind_of(manifest)
    if need == NETWORK:
        return kind != RECORDED
    if need == TRAINING:
        return kind == TRAINED
    if need == LEARNED:  # of a run from elsewhere, whatever was told of its epochs
        return kind == TRAINED or "history" in manifest.get("nouns", ())
    able = manifest.get("capabilities", CAPABILITIES if kind == TRAINED else ())
    return need in able or (need == "top-k" and "probabilities" in able)


def settings(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a run was trained with, name by name: its recipe, or what its script told; None where nobody said."""
    return manifest.get("config") if kind_of(manifest) == TRAINED else manifest.get("settings")


def weights_file(manifest: Mapping[str, Any]) -> str:
    """The name of the file that holds the network of a run that has one. Of an imported one it is ONNX, or weights of an
    architecture that torch knows by name."""
    said = (manifest.get("weights") or {}).get("file")
    return IMPORTED_NETWORK if kind_of(manifest) == IMPORTED and said != WEIGHTS else WEIGHTS


def in_torch(manifest: Mapping[str, Any]) -> bool:
    """Whether torch computes a run's network."""
    return kind_of(manifest) != RECORDED and weights_file(manifest) == WEIGHTS


def known(manifest: Mapping[str, Any]) -> str:
    """How much of each answer is known: probabilities, top-k or labels."""
    return next((one for one in CAPABILITIES[:2] if has(manifest, one)), "labels")


def headline(manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The split whose result a run is listed with, and that result: test, or validation where only that is known."""
    results = manifest["results"]
    split = "test" if "test" in results else "validation"
    return split, results[split]


def lacking(manifest: Mapping[str, Any], needs: Iterable[str]) -> str:
    """The first of these needs that a run does not meet, '' where it meets all."""
    return next((need for need in needs if not has(manifest, need)), "")


def lacking_for(manifest: Mapping[str, Any], noun: str) -> str:
    """What of NEEDS a run lacks for a noun to be made of it, '' where nothing."""
    need = NOUN_NEEDS.get(noun)
    if need is None or has(manifest, need):
        return ""
    return NETWORK if noun in ASKED and not has(manifest, NETWORK) else need


def core(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The nouns of its core."""
    return CORE.get(kind_of(manifest), CORE[TRAINED])
