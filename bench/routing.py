"""Which run is asked about a picture, and is what no run knows called so: `python bench/routing.py --photos FOLDER`.

The runs that `run=auto` asks, those that ship and those of FASHION_HOME, are asked about pictures of these kinds:

- photographs of clothes: FOLDER/<class>/<file>, such as validation/ of the clothing photographs (docs/datasets.md);
- Fashion-MNIST's validation and test pictures as they are, enlarged, as photographs that nobody took, and as prints of
  the whole picture or of what is cut out of it, in perspective on other ground; with `--second-hand` on paper, on a
  screen, cut out of paper and as things, as bench/scenes.py renders them apart from what the rule was chosen on; with
  `--third-hand` as bench/snapshots.py does, the photographs taken once more too;
- what is no garment: written digits, letters, shapes, icons where there are some (/usr/share/icons), the photographs
  that come with scikit-learn, matplotlib and scikit-image, cut-outs of them, and FOLDER of `--pictures`.

Everything drawn comes from one seed. Printed of each kind and part: n, how many went to a run of the right data set,
how many were called unlike their training data by the run that was asked, and by every run. What the rule was chosen on
is `validation` and every other strange picture; `test` and the rest are the check.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import numpy as np  # noqa: E402
import photos  # noqa: E402
import scenes  # noqa: E402
import snapshots  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

from ml import pipeline  # noqa: E402
from ml.commands.predict import candidate  # noqa: E402
from ml.evaluation.photographs import printed, rendered  # noqa: E402
from ml.images.decoding import FILE_BYTES, Refusal, decode  # noqa: E402
from ml.inference import routing  # noqa: E402
from ml.stats.intervals import wilson  # noqa: E402

GREY = "fashion-mnist"
Example = tuple[str, str, str, np.ndarray]  # kind, part, name of the data set that is right ('' for none), pixels


def files(folder: Path, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Up to n of a folder's pictures, uint8 [h, w, c], as the page sends them."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    for place in rng.permutation(len(found))[:n]:
        try:
            yield photos.sent(decode(found[place].read_bytes(), limit=FILE_BYTES).pixels)
        except Refusal:
            continue


def garments(n: int, rng: np.random.Generator, *, second: bool = False, third: bool = False) -> Iterator[Example]:
    """Of Fashion-MNIST, n of each kind and part. second, third: rendered by another hand."""
    library = pipeline.default_library()
    for part in ("validation", "test"):
        images = library.pictures(GREY, part).images
        rows = iter(rng.permutation(len(images)))
        for _ in range(n):
            yield "as they are", part, GREY, images[next(rows)]
            small = Image.fromarray(images[next(rows)].squeeze())
            side = int(rng.choice([56, 112, 224, 512]))
            large = small.resize((side, side), Image.Resampling(int(rng.integers(4))))
            yield "enlarged", part, GREY, np.asarray(large)[..., None]
            if second:
                for kind in scenes.KINDS:
                    yield kind, part, GREY, photos.sent(scenes.scene(images[next(rows)], rng, kind))
                continue
            if third:
                for kind in snapshots.KINDS:
                    yield kind, part, GREY, photos.sent(snapshots.snapshot(images[next(rows)], rng, kind))
                continue
            side = int(rng.integers(256, 900))
            yield "photographed", part, GREY, photos.sent(rendered(images[next(rows)], rng, side=side))
            yield "prints", part, GREY, photos.sent(printed(images[next(rows)], rng, side=side))
            yield "prints, cut out", part, GREY, photos.sent(printed(images[next(rows)], rng, side=side, cut=True))


def shapes(n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Ellipses, boxes and corners in colours, uint8 [side, side, 3]."""
    for _ in range(n):
        side = int(rng.integers(64, 512))
        image = Image.new("RGB", (side, side), tuple(rng.integers(0, 256, 3).tolist()))
        pen = ImageDraw.Draw(image)
        for _ in range(int(rng.integers(1, 4))):
            colour = tuple(rng.integers(0, 256, 3).tolist())
            low, high = rng.integers(0, side // 2, 2).tolist(), rng.integers(side // 2, side, 2).tolist()
            draw = (pen.ellipse, pen.rectangle)[int(rng.integers(2))]
            draw((*low, *high), fill=colour)
        yield np.asarray(image)


def strange(n: int, rng: np.random.Generator, folder: Path | None) -> Iterator[Example]:
    """What is no garment, about n of each kind."""
    natural = [photos.sent(picture) for picture in photos.photographs().values()]
    natural += list(files(folder, 10**6, rng)) if folder else []
    kinds: dict[str, list[np.ndarray]] = {
        "digits, small": list(photos.digits(rng, n, 28)),
        "digits on paper": [photos.on_paper(one, rng) for one in photos.digits(rng, n, 400)],
        "letters, small": list(photos.letters(rng, n, 28)),
        "letters on paper": [photos.on_paper(one, rng) for one in photos.letters(rng, n, 400)],
        "shapes": list(shapes(n, rng)),
        "photographs": natural,
    }
    icons = Path("/usr/share/icons")
    if icons.is_dir():
        kinds["icons"] = [one for one in files(icons, 3 * n, rng) if min(one.shape[:2]) >= 32][:n]
    for name, pictures in kinds.items():
        for place, picture in enumerate(pictures):
            yield name, ("validation", "test")[place % 2], "", picture


def main() -> int:
    """Print the table, or JSON; 1 with --strict where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="photographs of clothes, a folder for each class")
    parser.add_argument("--dataset", default="clothing-photos", help="the data set whose run is right for them")
    parser.add_argument("--pictures", type=Path, help="more pictures of anything else")
    parser.add_argument("-n", type=int, default=100, help="pictures of each kind and part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--second-hand", action="store_true", help="renderings of bench/scenes.py in place of the app's"
    )
    parser.add_argument("--third-hand", action="store_true", help="and of bench/snapshots.py")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng, library = np.random.default_rng(options.seed), pipeline.default_library()
    ids = routing.representatives(library.runs(), library.default())
    asked = [candidate(library, run_id, "torch") for run_id in ids]
    of = {run_id: library.open(run_id).manifest["dataset"]["name"] for run_id in ids}
    print(f"asked: {', '.join(ids)}; n {options.n} of a kind, seed {options.seed}", file=sys.stderr)
    counts: dict[tuple[str, str, str], np.ndarray] = {}
    hands = {"second": options.second_hand, "third": options.third_hand}
    mix = [*garments(options.n, rng, **hands), *strange(options.n, rng, options.pictures)]
    if options.photos:
        mix += [("photographs of clothes", "validation", options.dataset, one)
                for one in files(options.photos, 4 * options.n, rng)]  # fmt: skip
    if options.photos and options.third_hand:
        mix += [("photographs taken again", "validation", options.dataset, photos.sent(snapshots.again(one, rng)))
                for one in files(options.photos, 2 * options.n, rng)]  # fmt: skip
    for kind, part, right, pixels in mix:
        routed = routing.route(pixels, asked)
        row = [1, of[routed.first.run_id] == right, routed.first.unlike, routed.unlike]
        key = (kind, part, right)
        counts[key] = counts.get(key, np.zeros(4, int)) + np.array(row, int)
    table = [
        {"kind": kind, "part": part, "dataset": right, "n": int(n), "right": int(good) if right else None,
         "unlike": int(first), "unlike_to_all": int(every)}
        for (kind, part, right), (n, good, first, every) in counts.items()
    ]  # fmt: skip
    if options.json:
        print(json.dumps(table, indent=1))
    else:
        print(f"{'kind':<24}{'part':<12}{'n':>5}{'right run':>11}{'unlike':>8}{'to all':>8}")
        for one in table:
            good = "–" if one["right"] is None else one["right"]
            print(
                f"{one['kind']:<24}{one['part']:<12}{one['n']:>5}{good:>11}{one['unlike']:>8}{one['unlike_to_all']:>8}"
            )
    known = np.sum([row for (_, _, right), row in counts.items() if right], axis=0)
    other = np.sum([row for (_, _, right), row in counts.items() if not right], axis=0)
    for words, part, n in (("right run", known[1], known[0]), ("known called unlike", known[2], known[0]),
                           ("strange called unlike", other[2], other[0])):  # fmt: skip
        low, high = (100 * float(end) for end in wilson(int(part), int(n)))
        print(f"{words}: {part} of {n}, {100 * part / max(n, 1):.1f} % ({low:.1f} to {high:.1f})")
    return int(options.strict and (known[1] < 0.97 * known[0] or other[2] < 0.9 * other[0]))


if __name__ == "__main__":
    sys.exit(main())
