"""Every corruption and attack there is, described once, for whoever computes and whoever shows them. Never torch."""

from dataclasses import dataclass, replace

SEVERITIES = (1, 2, 3, 4, 5)
LADDER = (0.25, 0.5, 1, 2, 4, 8, 16, 32)  # of 255; the last is the largest change that is looked at
EPSILONS = (0, *LADDER)  # of 255, at which a run is measured
PGD_STEPS = 20
# pixels of the shorter side from which a picture is a photograph: nearer to ImageNet-C's 224 than to the 32 of
# CIFAR-10-C, as proportions go
PHOTO_SIDE = 85
PHOTO_PIXELS = 200_000  # of photographs that are attacked at a time: of one of 224 × 224, 80 MB are kept for its slopes


@dataclass(frozen=True)
class Corruption:
    """title, sentence: what people read; unit: a level in words, with the number's place; levels: one a severity, in
    that unit; source: who defined it and where its levels come from. photo: unit, levels and source of pictures of
    PHOTO_SIDE and more, None where they are the same."""

    title: str
    sentence: str
    unit: str
    levels: tuple[float, float, float, float, float]
    source: str
    photo: tuple[str, tuple[float, float, float, float, float], str] | None = None

    def at(self, side: int) -> "Corruption":
        """As it is for pictures whose shorter side has so many pixels."""
        if self.photo is None or side < PHOTO_SIDE:
            return self
        unit, levels, source = self.photo
        return replace(self, unit=unit, levels=levels, source=source)


@dataclass(frozen=True)
class Attack:
    """title, sentence: what people read; source: who proposed it."""

    title: str
    sentence: str
    source: str


_MNIST_C = "MNIST-C (Mu and Gilmer 2019, arXiv:1906.02337)"
_CIFAR_C = "CIFAR-10-C (Hendrycks and Dietterich 2019, arXiv:1903.12261)"
_IMAGENET_C = "ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261)"
_CUTOUT = "Cutout (DeVries and Taylor 2017, arXiv:1708.04552)"

CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption(
        "Noise", "Gaussian noise on every pixel", "standard deviation {:g}", (0.08, 0.12, 0.18, 0.26, 0.38), _MNIST_C
    ),
    "blur": Corruption(
        "Blur",
        "a Gaussian blur",
        "{:g} pixels of 32",
        (0.4, 0.6, 0.7, 0.8, 1.0),
        _CIFAR_C,
        photo=("{:g} pixels of 224", (1, 2, 3, 4, 6), _IMAGENET_C),
    ),
    "contrast": Corruption("Contrast", "less contrast", "{:g} of it left", (0.4, 0.3, 0.2, 0.1, 0.05), _MNIST_C),
    "occlusion": Corruption("Occlusion", "a square in front", "{:g} of the side", (0.2, 0.3, 0.4, 0.5, 0.6), _CUTOUT),
    "shift": Corruption("Shift", "moved along a diagonal", "{:g} pixels of 28", (1, 2, 3, 4, 5), _MNIST_C),
    "rotation": Corruption("Rotation", "turned either way", "{:g} radians", (0.2, 0.4, 0.6, 0.8, 1.0), _MNIST_C),
    "jpeg": Corruption("JPEG", "kept as a lossy file", "quality {:g}", (25, 18, 15, 10, 7), _MNIST_C),
    "pixelate": Corruption("Pixelate", "fewer pixels", "{:g} of the rows left", (0.6, 0.5, 0.4, 0.3, 0.25), _MNIST_C),
}
"""In the order in which they are measured and shown. ImageNet-C has the same levels of noise, contrast, JPEG and
pixelate."""


def of_size(height: int, width: int) -> dict[str, Corruption]:
    """CORRUPTIONS as they are for pictures of so many pixels."""
    return {name: kind.at(min(height, width)) for name, kind in CORRUPTIONS.items()}


ATTACKS: dict[str, Attack] = {
    "fgsm": Attack(
        "FGSM", "One step along the sign of the gradient.", "Goodfellow, Shlens and Szegedy 2015, arXiv:1412.6572"
    ),
    "pgd": Attack(
        "PGD",
        f"{PGD_STEPS} small steps from a random start, each as far as the limit lets it.",
        "Madry et al. 2018, arXiv:1706.06083",
    ),
}
