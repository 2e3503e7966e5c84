"""Photographs that nobody took: what the preparation and the score of unlikeness are worth: `python bench/photos.py`.

Garments of a split are rendered as photographs of 1,000 pixels: leaning, on coloured ground, dark on light or light on
dark, with slopes, shadows, noise and JPEG's marks. Each is prepared and answered like an upload, and compared with what
the run says of the original. Strange pictures are those that come with the packages of the tests (scikit-learn's two
photographs and its written digits, matplotlib's portrait, scikit-image's where that is installed), letters drawn with
matplotlib's fonts, textures and noise, large and of the network's own size. Everything is drawn from one seed.

What is chosen is chosen on validation and on every other strange picture; test and the rest are printed beside it.

`--folder FOLDER` measures real photographs instead, in folders named after what they show: how many are answered right
only fitted, with the steps that the run takes and with every step, and how many are called unlike its training data.
`--means pants=Trouser shoes=Sneaker,Sandal` says which classes are right for a folder whose name is none; a folder that
nothing is right for shows how often a run says so.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

from ml.evaluation.photographs import cloud, rendered  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "photos.json"
SIDE, SHOWN = 1_000, 768  # pixels of a rendering, and at most of what the page sends
MODES = {"none": "only fitted", "auto": "its steps", "full": "every step"}
TEXT = "0123456789ABCDEFGHKLMNRSTXYZabdefghkrt?&@#"


def sent(picture: np.ndarray) -> np.ndarray:
    """As the page sends it: at most SHOWN pixels long."""
    if max(picture.shape[:2]) <= SHOWN:
        return picture
    image = Image.fromarray(picture.squeeze())
    image.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(image.height, image.width, -1)


def photographs() -> dict[str, np.ndarray]:
    """name → uint8 [h, w, 1 or 3]: no clothes laid out, as far as they are on this machine."""
    import matplotlib
    import sklearn.datasets

    folders = [Path(sklearn.datasets.__file__).parent / "images", Path(matplotlib.get_data_path()) / "sample_data"]
    try:
        import skimage.data

        folders.append(Path(skimage.data.__file__).parent)
    except ImportError:
        pass
    found = {}
    for path in sorted(path for folder in folders for path in folder.iterdir() if path.suffix in (".jpg", ".png")):
        with Image.open(path) as file:
            image = file if file.mode in ("L", "RGB") else file.convert("RGB")
            image.thumbnail((SHOWN, SHOWN))
            found[path.name] = np.asarray(image).reshape(image.height, image.width, -1)
    return found


def small(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Grey, uint8 [height, width, 1]."""
    image = Image.fromarray(picture.squeeze()).convert("L").resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image)[..., None]


def letters(rng: np.random.Generator, count: int, side: int) -> Iterator[np.ndarray]:
    """Light on black, uint8 [side, side, 1]."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = sorted(path for path in folder.glob("DejaVu*.ttf") if "Display" not in path.name)
    for _ in range(count):
        image = Image.new("L", (256, 256))
        font = ImageFont.truetype(fonts[rng.integers(len(fonts))], int(rng.integers(150, 230)))
        ImageDraw.Draw(image).text((128, 128), TEXT[rng.integers(len(TEXT))], font=font, fill=255, anchor="mm")
        turned = image.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC)
        yield np.asarray(turned.resize((side, side), Image.Resampling.LANCZOS))[..., None]


def digits(rng: np.random.Generator, count: int, side: int) -> Iterator[np.ndarray]:
    """Written ones, light on black, uint8 [side, side, 1], with a margin of a seventh as MNIST has."""
    from sklearn.datasets import load_digits

    written = load_digits().images * (255 / 16)
    inner = side * 5 // 7
    for row in rng.permutation(len(written))[:count]:
        image = Image.new("L", (side, side))
        digit = Image.fromarray(written[row].astype(np.uint8)).resize((inner, inner), Image.Resampling.BICUBIC)
        image.paste(digit, ((side - inner) // 2, (side - inner) // 2))
        yield np.asarray(image)[..., None]


def on_paper(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light on black becomes coloured ink on light paper, uint8 [h, w, 3]."""
    share = picture.astype(np.float32) / 255
    ink, paper = rng.integers(0, 90, 3), rng.integers(190, 256, 3)
    grain = rng.normal(size=picture.shape) * 4
    return np.clip(paper * (1 - share) + ink * share + grain, 0, 255).astype(np.uint8)


def strange(rng: np.random.Generator, height: int, width: int) -> dict[str, list[tuple[np.ndarray, int]]]:
    """kind → pictures, each with 0 or 1: the half it belongs to; what comes of one photograph stays together."""
    found: dict[str, list[tuple[np.ndarray, int]]] = {
        name: [] for name in ("photographs", "cut-outs", "cut-outs, small")
    }
    for place, picture in enumerate(photographs().values()):
        found["photographs"].append((picture, place % 2))
        for _ in range(6):
            side = int(rng.uniform(0.25, 0.9) * min(picture.shape[:2]))
            top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
            cut = picture[top : top + side, left : left + side]
            found["cut-outs"].append((cut, place % 2))
            found["cut-outs, small"].append((small(cut, height, width), place % 2))

    def add(name: str, pictures: Iterator[np.ndarray]) -> None:
        found[name] = [(picture, place % 2) for place, picture in enumerate(pictures)]

    add("digits, small", (small(x, height, width) for x in digits(rng, 400, 28)))
    add("digits on paper", (on_paper(x, rng) for x in digits(rng, 100, 600)))
    add("letters, small", (small(x, height, width) for x in letters(rng, 300, 28)))
    add("letters on paper", (on_paper(x, rng) for x in letters(rng, 100, 400)))
    add("noise, small", (rng.integers(0, 256, (height, width, 1)).astype(np.uint8) for _ in range(100)))
    spots = (
        small((cloud(rng, 280, int(rng.integers(3, 12))) * 255).astype(np.uint8), height, width) for _ in range(100)
    )
    add("spots, small", spots)
    add("noise", (rng.integers(0, 256, (300, 300, 3)).astype(np.uint8) for _ in range(60)))
    add("spots", ((cloud(rng, 300, int(rng.integers(3, 40))) * 255).astype(np.uint8)[..., None] for _ in range(60)))
    return found


Score = Callable[[np.ndarray], np.ndarray]


def candidates(classifier: Any, reference: np.ndarray, labels: np.ndarray, arrays: Any) -> dict[str, Score]:
    """name → pictures, uint8 [n, h, w, c], to scores, float [n]; larger is stranger."""
    from ml.stats.ood import RANKS, OodModel, learn

    features = classifier.features(reference)
    known, last = OodModel(arrays), OodModel(learn(features, labels))
    whole = OodModel(learn(classifier.statistics(reference), labels))

    def nearest(pictures: np.ndarray) -> np.ndarray:
        asked = classifier.features(pictures)
        squares = (asked**2).sum(1)[:, None] - 2 * asked @ features.T + (features**2).sum(1)
        return np.sqrt(np.maximum(np.partition(squares, RANKS - 1)[:, :RANKS], 0)).mean(1)

    def energy(pictures: np.ndarray) -> np.ndarray:
        logits = classifier.logits_and_features(pictures)[0].astype(np.float64)
        top = logits.max(1, keepdims=True)
        return -(top[:, 0] + np.log(np.exp(logits - top).sum(1)))

    return {
        "familiarity: all layers, renderings": lambda pictures: known.scores(classifier.statistics(pictures)),
        "all layers, no renderings": lambda pictures: whole.scores(classifier.statistics(pictures)),
        "Mahalanobis, last layer": lambda pictures: last.scores(classifier.features(pictures)),
        f"{RANKS} nearest, last layer": nearest,
        "energy": energy,
    }


def real(run_id: str | None, folder: Path, means: dict[str, list[str]]) -> dict[str, Any]:
    """Photographs in folders: of each how many, and by mode of preparation how many right and how many unlike."""
    import torch

    from ml.artifacts.reader import Library
    from ml.images.upload_archives import Item
    from ml.inference import batch, familiarity
    from ml.inference.classifier import Classifier
    from ml.stats.ood import LIMIT
    from ml.system.paths import ARTIFACTS

    torch.set_num_threads(1)
    library = Library(ARTIFACTS, ARTIFACTS / "none")
    run = library.open(run_id or library.default() or "")
    network, form = Classifier.open(run), batch.form_of(library, run)
    classes, unlike = list(network.classes), familiarity.of_run(run, network)
    found: dict[str, Any] = {"run": run.run_id, "steps": sorted(form.steps), "folders": {}}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        wanted = {classes.index(name) for name in means.get(place.name, [place.name]) if name in classes}
        files = sorted(path for path in place.iterdir() if path.is_file())
        row = {"n": len(files), "means": [classes[i] for i in sorted(wanted)]}
        for mode in MODES:
            items = (Item(path.name, path.read_bytes()) for path in files)
            answers = list(batch.answers(items, form, classes, network.probabilities, mode=mode, unlike=unlike))
            said = [np.argsort(-one.probabilities) for one in answers if one.probabilities is not None]
            strange = [one.percentile is not None and one.percentile > LIMIT for one in answers]
            row[mode] = {
                "right": sum(int(order[0]) in wanted for order in said),
                "in three": sum(bool(wanted & set(order[:3].tolist())) for order in said),
                "unlike": sum(strange),
            }
        found["folders"][place.name] = row
    return found


def tell_real(found: dict[str, Any]) -> None:
    """As a table, with 95 % intervals of the sums."""
    from ml.stats.intervals import wilson

    print(f"{found['run']}, steps: {', '.join(found['steps']) or 'none'}")
    heads = [f"{what}, {words}" for what in ("right", "in three", "unlike") for words in MODES.values()]
    print(f"{'folder':<14}{'n':>5}" + "".join(f"{head:>22}" for head in heads) + "  right is")
    for name, row in found["folders"].items():
        counts = [row[mode][what] for what in ("right", "in three", "unlike") for mode in MODES]
        print(f"{name:<14}{row['n']:>5}" + "".join(f"{n:>22}" for n in counts), "", ", ".join(row["means"]) or "–")
    known = [row for row in found["folders"].values() if row["means"]]
    n = sum(row["n"] for row in known)
    for mode, words in MODES.items():
        right = sum(row[mode]["right"] for row in known)
        low, high = (float(end) for end in wilson(right, n))
        three = sum(row[mode]["in three"] for row in known)
        print(
            f"{words}: {right} of {n} right, {100 * right / max(n, 1):.1f} % ({100 * low:.1f} to {100 * high:.1f}), "
            f"among the first three {three}"
        )


def measure(run_id: str | None, n: int, seed: int) -> dict[str, Any]:
    """Everything the table says. n: garments rendered of each split."""
    import torch

    from ml import pipeline
    from ml.artifacts.reader import Library
    from ml.evaluation import familiarity
    from ml.images.preparation import prepare
    from ml.images.preparation_variants import compare
    from ml.inference import batch
    from ml.inference.classifier import Classifier
    from ml.stats.ood import LIMIT
    from ml.system.paths import ARTIFACTS

    torch.set_num_threads(1)
    library = Library(ARTIFACTS, ARTIFACTS / "none")
    run = library.open(run_id or library.default() or "")
    classifier = Classifier.open(run)
    context = pipeline.context_of(library, run)
    arrays = run.arrays("familiarity") if "familiarity" in run.nouns else familiarity.arrays(context)
    splits = context.splits
    form = batch.form_of(library, run)
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {"run": run.run_id, "seed": seed, "renderings": {}, "flagged": {}, "limit": LIMIT}
    asked: dict[str, np.ndarray] = {"validation": splits["validation"].images, "test": splits["test"].images}
    for name in ("validation", "test"):
        images = splits[name].images[rng.permutation(len(splits[name]))[:n]]
        photos = [sent(rendered(image, rng, side=SIDE)) for image in images]
        agreements = [compare(photo, form, classifier.probabilities) for photo in photos]
        said = classifier.probabilities(images).argmax(1)
        same = np.array([one.variants[0].predicted for one in agreements]) == said
        sure = np.array([one.same == one.n for one in agreements])
        asked[f"renderings of {name}"] = np.stack([one.variants[0].prepared.image for one in agreements])
        found["renderings"][name] = {
            "n": len(same), "agree": int(same.sum()), "mean_agrees": int(
                (np.array([one.probabilities.argmax() for one in agreements]) == said).sum()
            ), "all_variants_say_the_same": int(sure.sum()), "of_these_agree": int((same & sure).sum()),
        }  # fmt: skip
    for kind, pictures in strange(rng, form.height, form.width).items():
        ready = np.stack([prepare(sent(picture), form).image for picture, _ in pictures])
        half = np.array([half for _, half in pictures])
        asked[f"{kind}, chosen on"], asked[f"{kind}, others"] = ready[half == 0], ready[half == 1]
    reference = splits["reference"]
    for name, score in candidates(classifier, reference.images, reference.labels, arrays).items():
        limit = np.percentile(score(asked["validation"]), LIMIT)
        found["flagged"][name] = {
            kind: [int((score(pictures) > limit).sum()), len(pictures)] for kind, pictures in asked.items()
        }
    return found


def main() -> int:
    """Print the tables and keep them; 1 with --strict where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="the default run when left out")
    parser.add_argument("-n", type=int, default=300, help="garments rendered of each split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--folder", type=Path, help="real photographs instead, in folders named after what they show")
    parser.add_argument(
        "--means", nargs="*", default=[], metavar="FOLDER=CLASS,CLASS", help="what is right for a folder"
    )
    options = parser.parse_args()
    if options.folder:
        means = {name: classes.split(",") for name, _, classes in (one.partition("=") for one in options.means)}
        tell_real(real(options.run, options.folder, means))
        return 0
    found = measure(options.run, options.n, options.seed)
    for name, counts in found["renderings"].items():
        print(f"renderings of {name}:", ", ".join(f"{key} {value}" for key, value in counts.items()))
    scores = found["flagged"]
    kinds = list(next(iter(scores.values())))
    print(f"\nflagged past the {found['limit']:g}th percentile of validation, seed {found['seed']}, run {found['run']}")
    for place, name in enumerate(scores, 1):
        print(f"  ({place}) {name}")
    print(f"{'':<34}{'n':>6}" + "".join(f"{f'({place})':>8}" for place in range(1, len(scores) + 1)))
    for kind in kinds:
        n = next(iter(scores.values()))[kind][1]
        print(f"{kind:<34}{n:>6}" + "".join(f"{one[kind][0] / max(n, 1):>8.3f}" for one in scores.values()))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    mine = next(iter(scores.values()))
    odd = [kind for kind in kinds if not kind.startswith(("validation", "test", "renderings"))]
    share = sum(mine[kind][0] for kind in odd) / sum(mine[kind][1] for kind in odd)
    test, renderings = mine["test"], mine["renderings of test"]
    agree = found["renderings"]["test"]
    kept = (
        agree["agree"] >= 0.85 * agree["n"],
        renderings[0] <= 0.25 * renderings[1],
        test[0] <= 0.05 * test[1],
        share >= 0.9,
    )
    return int(options.strict and not all(kept))


if __name__ == "__main__":
    sys.exit(main())
