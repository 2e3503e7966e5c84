"""`python -m ml data import`: labelled pictures of any kind become a data set of one's own."""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.commands import json_of, sharing
from ml.images.fitting import FITTINGS, RESAMPLING
from ml.settings import Attempt
from ml.system import memory
from ml.system.paths import home_dir

if TYPE_CHECKING:
    from ml.data import Choices, Imported, Plan, Progress

TOLD = 3  # names in a sentence
TELL_SECONDS = 0.5
REVIEWED = (
    "labels decided on the Review page stay with the version of {name} that they were decided on: to have them in the "
    "next one, export it there with labels as reviewed, and import that with --new-version"
)


def add(actions: argparse._SubParsersAction) -> None:
    folder = actions.add_parser("import", help="labelled pictures of any kind become a data set of your own")
    folder.set_defaults(command=import_source)
    folder.add_argument("source", type=Path, help="a folder, archive or file; docs/datasets.md lists what is read")
    folder.add_argument("--name", help="what it is called, Rocks 2 as rocks-2; the folder's name when left out")
    folder.add_argument("--title", help="what it is called on screen; its name when left out")
    folder.add_argument("--description", default="", help="a few sentences that are kept with it")
    folder.add_argument("--dry-run", action="store_true", help="only say what was understood; nothing is written")
    size = "pictures are fitted to it, 4 to 512 a side (default: the size that all have, else at most 64)"
    folder.add_argument("--size", metavar="HxW", help=size)
    colour = folder.add_mutually_exclusive_group()
    colour.add_argument("--colour", action="store_true", help="three channels (default: if any picture has colour)")
    colour.add_argument("--grey", action="store_true", help="one channel, whatever colour pictures have")
    fit = "other proportions: pad (default), crop the middle out, or stretch"
    folder.add_argument("--fit", choices=FITTINGS, default="pad", help=fit)
    folder.add_argument("--resampling", choices=RESAMPLING, default="lanczos", help="(default lanczos)")
    under = "what transparent pictures are laid on and padded ones are surrounded by (default: what stands out; black)"
    folder.add_argument("--background", default="", metavar="#RRGGBB", help=under)
    renamed = "call a class otherwise, or with no new name leave it out; two of one name are united"
    folder.add_argument("--class", dest="names", action="append", default=[], metavar="FOUND=NAME", help=renamed)
    order = "class names by class id, with commas between"
    folder.add_argument("--order", default="", metavar="NAME,NAME,…", help=order)
    splits = "what a split, or what the source calls one, is: train, validation, test, unlabelled, or nothing"
    folder.add_argument("--split", dest="splits", action="append", default=[], metavar="FOUND=SPLIT", help=splits)
    folder.add_argument("--validation", type=float, default=0.1, metavar="SHARE", help="drawn from train (default 0.1)")
    folder.add_argument("--test", type=float, default=0.1, metavar="SHARE", help="drawn from train (default 0.1)")
    columns = "of a table: image, label, split or group, where another column is meant than was found"
    folder.add_argument("--column", action="append", default=[], metavar="ROLE=NAME", help=columns)
    turned = "whether arrays have rows and columns the other way round (default: as their names tell)"
    folder.add_argument("--turned", choices=("yes", "no"), help=turned)
    folder.add_argument("--zip-names", metavar="CODEPAGE", help="of names in old zips, as in cp866 (default: a guess)")
    folder.add_argument("--seed", type=int, default=0, help="of the split into train, validation and test")
    everything = "all of the choices above in one, as ml.data.Choices.to_json writes them; - for standard input"
    folder.add_argument("--choices", metavar="JSON", help=everything)
    folder.add_argument("--progress", action="store_true", help="say how far it is, line by line")
    folder.add_argument("--json", action="store_true", help="end with one line of JSON that says what was made")
    anew = folder.add_mutually_exclusive_group()
    anew.add_argument("--new-version", action="store_true", help="replace the data set of this name, which is kept")
    more = "add to the data set of this name, as a new version: what it has keeps its ids and splits"
    anew.add_argument("--add", action="store_true", help=more)


def chosen(options: argparse.Namespace) -> "Choices":
    """What the flags say. Raises ValueError, in words."""
    from ml.data import Choices

    if options.choices is not None:
        return Choices.from_json(json_of(options.choices))
    from ml.data.importing.columns import chosen as columns
    from ml.images import zip_names

    return Choices(
        order=tuple(one.strip() for one in options.order.split(",") if one.strip()),
        code_page=zip_names.code_page(options.zip_names),
        columns=columns(options.column),
        names=pairs_of("class", options.names),
        splits=pairs_of("split", options.splits),
        size=_size(options.size) if options.size else None,
        fitting=options.fit,
        resampling=options.resampling,
        colour=True if options.colour else False if options.grey else None,
        background=options.background,
        turned=None if options.turned is None else options.turned == "yes",
        seed=options.seed,
        validation=options.validation,
        test=options.test,
    )


def import_source(options: argparse.Namespace) -> int:
    from ml.data import Cancelled, import_dataset, intake, never, nobody

    called = options.source.resolve()
    called = called.stem.removesuffix(".tar") if called.is_file() else called.name
    choices = chosen(options)
    if options.dry_run:
        return _planned(options, choices)
    try:
        name = intake.name_of(options.name or called)
    except ValueError as error:
        raise ValueError(f"{error}; choose another with --name") from None
    if options.name and name != options.name:
        print(f"the data set is called {name}", file=sys.stderr)
    intake.sweep(home_dir(), lambda words: print(words, file=sys.stderr))
    tell = teller() if options.progress else nobody
    if Attempt.read().lease:
        memory.leave_some()
    try:
        with sharing(home_dir()) as share:

            def progress(done: int, total: int, what: str) -> None:
                tell(done, total, what)
                if share is not None:
                    share.progress(done, total, what)

            made = import_dataset(
                options.source, name, choices, title=options.title, description=options.description, home=home_dir(),
                new_version=options.new_version, add=options.add, progress=progress,
                cancelled=share.cancelled if share is not None else never, share=share,
            )  # fmt: skip
    except intake.Taken as taken:
        print(f"{taken} To replace it: the same with --new-version", file=sys.stderr)
        return 2
    except Cancelled:
        print("cancelled; nothing of it is left", file=sys.stderr)
        return 1
    dataset = made.dataset
    if options.new_version or options.add:
        print(REVIEWED.format(name=name), file=sys.stderr)
    for line in (*made.notes, *made.left_out.lines(), *_dim(made.dim), *_copies(made), *_nearly_alike(made)):
        print(line, file=sys.stderr)
    counts = {split: len(rows) for split, rows in dataset.splits.items()}
    told = ", ".join(f"{split} {n:,}" for split, n in counts.items())
    print(f"{name}: {len(dataset.classes)} classes; {told}")
    print(f"Train on it with: python -m ml train --dataset {name}")
    if options.json:
        summary: dict[str, Any] = {"name": name, "digest": dataset.digest, "classes": list(dataset.classes)}
        summary |= {"size": list(dataset.shape), "splits": counts, "left_out": made.left_out.counts()}
        print(json.dumps(summary, ensure_ascii=False))
    return 0


def teller() -> "Progress":
    """Says how far an import is, twice a second and whenever something else begins."""
    last, before = 0.0, ""

    def told(done: int, total: int, what: str) -> None:
        nonlocal last, before
        now = time.monotonic()
        if what != before or now - last >= TELL_SECONDS:
            print(f"{what}, {done}/{total}" if total > 1 else what, flush=True)
            last, before = now, what

    return told


def _planned(options: argparse.Namespace, choices: "Choices") -> int:
    from ml.data import plan

    planned = plan(options.source, choices)
    for line in (*planned.notes, *planned.left_out.lines()):
        print(line, file=sys.stderr)
    for line in _plan_lines(planned):
        print(line)
    if options.json:
        print(json.dumps(planned.to_json(), ensure_ascii=False))
    return 0


def _plan_lines(planned: "Plan") -> list[str]:
    """What would be made, one sentence each."""
    said = planned.to_json()
    splits = [f"{split} {n:,}" for split, n in said["splits"].items()]
    splits += [f"unlabelled {planned.unlabelled:,}"] if planned.unlabelled else []
    drawn = [f"{100 * share:g} % for {split}" for split, share in planned.drawn.items()]
    height, width = said["size"]
    sizes = [f"{high} x {wide} ({n:,})" for high, wide, n in said["sizes"][:TOLD]]
    more = len(planned.sizes) - TOLD
    colour = "colour" if said["colour"] else "grey"
    return [
        f"{planned.source}: {planned.kind}",
        f"{len(planned.classes)} classes: {_some(list(planned.classes), 10)}",
        f"pictures: {', '.join(splits)}",
        *([f"drawn from train: {', '.join(drawn)}"] if drawn else []),
        f"sizes met: {', '.join(sizes)}{f' and {more:,} others' if more > 0 else ''}",
        f"size: {height} x {width}: {planned.taken.why_size}",
        f"{colour}: {planned.taken.why_colour}",
        f"other proportions: {said['why_fitting']}",
        "Nothing was written. To import it: the same without --dry-run",
    ]


def pairs_of(flag: str, given: list[str]) -> dict[str, str]:
    """FOUND=WANTED, as a dictionary. Raises ValueError, in words."""
    found = {}
    for one in given:
        name, sign, wanted = one.rpartition("=")
        if not sign:
            raise ValueError(f"--{flag} is FOUND=WANTED, with nothing behind = to leave it out; it is {one!r}")
        found[name] = wanted
    return found


def _size(words: str) -> tuple[int, int]:
    """Height and width. Raises ValueError."""
    from ml.data.importing.choices import LEAST_SIDE, MOST_SIDE

    size = re.fullmatch(r" *(\d{1,4}) *[x×] *(\d{1,4}) *", words.lower(), re.ASCII)
    height, width = map(int, size.groups()) if size else (0, 0)
    if not (LEAST_SIDE <= height <= MOST_SIDE and LEAST_SIDE <= width <= MOST_SIDE):
        raise ValueError(f"--size must be HEIGHTxWIDTH, each {LEAST_SIDE} to {MOST_SIDE}, as in 28x28; it is {words!r}")
    return height, width


def _dim(names: list[str]) -> list[str]:
    """What is to be known of pictures that are all but black because of how they were written."""
    if not names:
        return []
    many = f"{len(names):,} pictures have" if len(names) > 1 else "1 picture has"
    return [f"{many} levels for more than 8 bits and use none but the lowest, so that next to nothing is to be seen: "
            f"{_some(names)}. Stretch their levels before importing them"]  # fmt: skip


def _copies(made: "Imported") -> list[str]:
    """What is to be known of pictures that are there more than once, one sentence each."""
    told = []
    if made.copied:
        told.append(f"{_are_copies(made.copied)} of the same class, pixel for pixel: {_pairs(made.copied)}")
    if made.in_conflict:
        told.append(f"{_are_copies(made.in_conflict)} of another class: {_pairs(made.in_conflict)}")
    for split, names in made.across.items():
        if names:
            told.append(
                f"{len(names):,} of {len(made.dataset[split]):,} pictures of {split} are in train too, so that "
                f"accuracy on {split} is more than what was learned: {_some(names)}"
            )
    if made.copied and not any(made.across.values()):
        told.append("copies of one picture are kept in one split")
    return told


def _nearly_alike(made: "Imported") -> list[str]:
    """How many pictures of test have a near-duplicate in train, where any has."""
    n = made.described.get("near", {}).get("test", 0)
    if not n:
        return []
    return [
        f"{n:,} of {len(made.dataset['test']):,} pictures of test are nearly the same as one of train: see the page "
        "Slices"
    ]


def _are_copies(pairs: list[tuple[str, str]]) -> str:
    return f"{len(pairs):,} pictures are copies of others" if len(pairs) > 1 else "1 picture is a copy of another one"


def _pairs(pairs: list[tuple[str, str]]) -> str:
    return _some([f"{name} = {first}" for name, first in pairs])


def _some(names: list[str], told: int = TOLD) -> str:
    more = f" and {len(names) - told:,} more" if len(names) > told else ""
    return f"{', '.join(names[:told])}{more}"
