"""Which files of a folder or zip are labelled, and by what: CLASS/…, or TRAIN/CLASS/…, or CLASS/TRAIN/….

Nothing is opened here. What is passed over is kept with its reason, apart from what systems leave in folders.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from ml.data.base import UNLABELLED, visible
from ml.data.importing import names as class_names
from ml.data.importing import nested
from ml.data.importing.nested import Placed
from ml.data.importing.records import FLAGS, SPLIT_ORDER, Found, LeftOut, Record, some
from ml.data.importing.sources import LEADS_OUT, MAGIC, Entry, looks_like_a_picture
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way, clean, normal

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "learn": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "dev": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
    "publictest": "validation",  # FER2013's words
    "privatetest": "test",
    "unlabelled": UNLABELLED,
    "unlabeled": UNLABELLED,
    "unsupervised": UNLABELLED,
}
BESIDE_SPLITS = re.compile(r"(?:data)?sets?|data|split|folder|dir|images?|imgs?|pictures?|photos?|files|seg")
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xml", ".xlsx", ".ods", ".parquet", ".pq")
NOT_READ = {".tfrecord": "TensorFlow's records without encoded pictures",
            ".tfrecords": "TensorFlow's records without encoded pictures",
            ".tfrec": "TensorFlow's records without encoded pictures",
            ".mat": "MATLAB's files without pictures",
            ".rec": "MXNet's records", ".mdb": "LMDB's files", ".lmdb": "LMDB's files", ".beton": "FFCV's files",
            ".arff": "Weka's ARFF files"}  # fmt: skip
STORES = {".lance": "Lance's files", "zarr.json": "Zarr's files", ".zarray": "Zarr's files", ".zgroup": "Zarr's files",
          ".mds": "MosaicML Streaming's shards", ".mds.zstd": "MosaicML Streaming's shards",
          ".mds.gz": "MosaicML Streaming's shards", ".mds.br": "MosaicML Streaming's shards",
          ".mds.bz2": "MosaicML Streaming's shards", ".mds.snappy": "MosaicML Streaming's shards",
          ".array_record": "ArrayRecord's files",
          "_meta/next_base": "Deep Lake's files", "dataset_meta.json": "Deep Lake's files",
          "chunk-0-0.bin": "LitData's chunks"}  # fmt: skip
"""Files of data sets whose folders and descriptions would be taken for classes and tables."""
FOLD = re.compile(r"(?:k?folds?|parts?|chunks?|shards?|batch(?:es)?|cv)[\W_]*\d+", re.IGNORECASE)
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".7z", ".rar")
NOT_IN_A_CLASS = "it lies in no folder of a class"
NO_PICTURES = "its folder holds no pictures, while others do"
BESIDE = "it lies beside the folders of the splits"
CHOSEN = "?"  # a split that a person names, and says what it is


def look(entries: Iterable[Entry], shown: str, order: Sequence[str] = (), chosen: Collection[str] = ()) -> Found:
    """What a folder or zip holds. shown: what it is called; order: class names by class id, kept where it has these;
    chosen: names of folders that are splits, whatever they are called.

    Raises ValueError, in words, for fewer than two classes and for names that no run may have.
    """
    left_out = LeftOut()
    placed = _through(_beneath_the_only_folder(_pictured(list(_placed(entries, left_out)), left_out), left_out))
    placed = nested.laid_out(placed, left_out)
    splits = _above(placed, chosen) or _below(placed) or _folds(placed) or _Splits(_without_classes(placed))
    flat = _flat(placed, splits)
    labelled: list[tuple[str, str, Placed]] = []  # split, class as written, file
    unlabelled: list[Placed] = []
    within: dict[str, set[str]] = {}
    for one in placed:
        part = one.parts[splits.level] if len(one.parts) > splits.level + (not one.is_folder) else ""
        split, rest = splits.get(part, ""), one.parts
        if split:
            rest = one.parts[: splits.level] + one.parts[splits.level + 1 :]
        elif splits.all_of_it:
            _leave(one, BESIDE, left_out)
            continue
        if split == UNLABELLED or part in flat or (len(rest) > 1 and split_of(rest[0]) == UNLABELLED):
            unlabelled.append(one)
        elif len(rest) + one.is_folder < 2:
            _leave(one, NOT_IN_A_CLASS, left_out)
        else:
            labelled.append((split, rest[0], one))
            within.setdefault(rest[0], set()).update(rest[1:2] if len(rest) + one.is_folder > 2 else ())
    _refuse_twins(dict.fromkeys((split, name) for split, name, _ in labelled))
    named, notes = class_names.shown(normal(name) for _, name, _ in labelled)
    names = class_names.ordered(named.values(), order)
    if len(names) < 2:
        raise ValueError(
            f"{shown} needs at least two folders of pictures, one per class; it has {len(names)}"
            f"{unread(one.shown for one in placed) or _tables(placed) or _none(placed, names)}"
        )
    if called_alike(names) or (all(map(split_of, names)) and NO_PICTURES in left_out.counts()):
        raise ValueError(
            f"{shown} has folders of splits ({', '.join(names)}) and none of classes in these: put the pictures into "
            "folders called like their classes, or bring a table of their labels"
        )
    if all(map(split_of, names)):
        notes.append(f"{some(names)}: folders called like splits hold none of classes, so that they are the classes")
    label = {given: names.index(name) for given, name in named.items()}
    ranked = sorted(
        labelled, key=lambda one: (SPLIT_ORDER.index(one[0].strip(CHOSEN)), label[normal(one[1])], one[2].parts)
    )
    records = []
    for split, name, one in [*ranked, *((UNLABELLED, "", one) for one in unlabelled)]:
        part = one.parts[splits.level] if split and len(one.parts) > splits.level else ""
        if one.entry.problem:
            left_out.add(one.shown, one.entry.problem)
        elif not one.is_folder:
            known, read = label[normal(name)] if split != UNLABELLED else None, one.entry.content
            records.append(Record(one.shown, known, split.strip(CHOSEN), read=read, part=part, path=one.entry.name))
    full = {one.label for one in records if one.label is not None}
    if len(full) < 2 and NO_PICTURES in left_out.counts():  # the rest are empty, as in exports of VOC's form
        raise ValueError(f"{shown} needs at least two folders of pictures, one per class; it has {len(full)}")
    given = tuple(dict.fromkeys(split for split, _, _ in ranked if split.strip(CHOSEN)))
    if splits.level == 0 and splits and all(map(FOLD.fullmatch, splits)):
        notes.append(f"{some([*splits])} hold folders of the same classes, and are taken together")
    if flat:
        notes.append(f"{some(sorted(flat))}: pictures in no folder of a class, which are taken as without a label")
    notes += [nested.taken_with_train(splits.like_train)] if splits.like_train else []
    notes += nested.told(within)
    kind = "a folder for each class" + (" and split" if given else "")
    return Found(kind, names, records, given, left_out, [*notes, *class_names.alike(names)])


def _placed(entries: Iterable[Entry], left_out: LeftOut) -> Iterable[Placed]:
    for entry in entries:
        if entry.problem == LEADS_OUT:  # its folders say nothing of where others lie
            left_out.add(entry.name, LEADS_OUT)
        elif not by_the_way(entry.name):
            yield Placed(entry, entry.parts, entry.is_folder)
        elif not entry.is_folder:
            left_out.by_systems.append(clean(entry.name))


def _leave(one: Placed, reason: str, left_out: LeftOut) -> None:
    if not one.is_folder:
        left_out.add(one.shown, one.entry.problem or reason)


def _pictured(placed: list[Placed], left_out: LeftOut) -> list[Placed]:
    """Without folders, and folders in these, of notes on the pictures that lie in those beside them (annotations,
    meta): where files named like pictures lie beside, and neither a name nor the first bytes of these are of one."""
    for depth in (1, 2):
        inside: dict[tuple[str, ...], list[Placed]] = {}
        for one in placed:
            if len(one.parts) > depth and not one.is_folder:
                inside.setdefault(one.parts[:depth], []).append(one)
        pictured = {folder for folder, files in inside.items() if any(looks_like_a_picture(one.shown) for one in files)}
        within = {folder[:-1] for folder in pictured}
        notes = {
            folder
            for folder in inside.keys() - pictured
            if folder[:-1] in within and not any(_is_one(one.entry) for one in inside[folder][:3])
        }
        for one in placed:
            if one.parts[:depth] in notes:
                _leave(one, NO_PICTURES, left_out)
        placed = [one for one in placed if one.parts[:depth] not in notes]
    return placed


def _is_one(entry: Entry) -> bool:
    """Whether a file that is not called like a picture begins like one."""
    try:
        return MAGIC.match(entry.content()) is not None
    except (OSError, Refusal):
        return True


def _beneath_the_only_folder(placed: list[Placed], left_out: LeftOut) -> list[Placed]:
    """As seen from the folder that classes or splits lie in: within the only one there is that holds others, however
    deep. Files beside it are left out."""
    while True:
        folders = {one.parts[0] for one in placed if len(one.parts) + one.is_folder > 1}
        within = [one for one in placed if len(one.parts) > 1]
        if len(folders) != 1 or not any(len(one.parts) + one.is_folder > 2 for one in within):
            return placed
        for one in placed:
            if len(one.parts) == 1:
                _leave(one, NOT_IN_A_CLASS, left_out)
        placed = _pictured([Placed(one.entry, one.parts[1:], one.is_folder) for one in within], left_out)


def _through(placed: list[Placed]) -> list[Placed]:
    """train/train/CLASS and train/images/CLASS as train/CLASS: where all of a split lies in one more folder."""
    inside: dict[str, set[str]] = {}
    deep: set[str] = set()
    for one in placed:
        if len(one.parts) + one.is_folder > 2:
            inside.setdefault(one.parts[0], set()).add(one.parts[1])
            deep.update(one.parts[:1] if len(one.parts) + one.is_folder > 3 else ())
        elif looks_like_a_picture(one.shown):
            inside.setdefault(one.parts[0], set()).add("")

    def hollow(top: str) -> bool:
        split, inner = split_of(top), next(iter(inside[top])).casefold()
        same = split_of(inner) == split or BESIDE_SPLITS.fullmatch(inner) is not None
        return bool(split and inner) and len(inside[top]) == 1 and same

    tops = {top for top in deep if hollow(top)}
    if not tops:
        return placed
    return _through(
        [
            Placed(one.entry, (one.parts[0], *one.parts[2:]), one.is_folder)
            if one.parts[0] in tops and len(one.parts) > 2
            else one
            for one in placed
            if one.parts[0] not in tops or len(one.parts) != 2 or not one.is_folder
        ]
    )


class _Splits(dict[str, str]):
    """folder → split, CHOSEN for one that a person calls a split; level: how deep these folders lie; all_of_it: whether
    what lies in none of them is passed over; like_train: folders of no known name that hold the classes of train."""

    level, all_of_it = 0, False
    like_train: Sequence[str] = ()


@functools.lru_cache(4_096)  # asked of each picture's folders, of which there are few
def split_of(folder: str) -> str:
    """The split that a folder is named after (train, Test_Set, valid, 01-training, seg_test), '' for none."""
    if folder == "no_label":  # Datumaro's
        return UNLABELLED
    words = [one for one in re.split(r"[\W\d_]+", folder.casefold()) if one]
    named = [word for word in map(_bare, words) if word in SPLIT_WORDS]
    others = [word for word in words if _bare(word) not in SPLIT_WORDS]
    return SPLIT_WORDS[named[0]] if len(named) == 1 and all(map(BESIDE_SPLITS.fullmatch, others)) else ""


def called_alike(folders: Iterable[str]) -> dict[str, str]:
    """Splits of folders whose names differ by nothing else: pets_train, pets_test; {} for others."""
    words = {one: [word for word in re.split(r"[\W\d_]+", one.casefold()) if word] for one in folders}
    found = {one: [word for word in mine if word in SPLIT_WORDS] for one, mine in words.items()}
    rests = {tuple(word for word in mine if word not in SPLIT_WORDS) for mine in words.values()}
    if len(rests) != 1 or () in rests or not all(len(named) == 1 for named in found.values()):
        return {}
    splits = {one: SPLIT_WORDS[named[0]] for one, named in found.items()}
    return splits if "train" in splits.values() and len({*splits.values()}) == len(splits) > 1 else {}


def _bare(word: str) -> str:
    """trainset → train."""
    found = re.fullmatch(rf"(\w+?)(?:{BESIDE_SPLITS.pattern})", word)
    return found[1] if found and found[1] in SPLIT_WORDS else word


def _above(placed: Sequence[Placed], chosen: Collection[str]) -> "_Splits | None":
    """Folders named after splits that hold folders of their own, or chosen as such; else these names are classes."""
    tops = {one.parts[0] for one in placed if len(one.parts) > 1}
    alike = called_alike(tops)
    found = _Splits(
        {top: split for top in tops if (split := split_of(top) or alike.get(top, "") or CHOSEN * (top in chosen))}
    )
    found.all_of_it = True
    deep = {one.parts[0] for one in placed if len(one.parts) + one.is_folder > 2}
    if deep.intersection(chosen):
        return found
    train = [folder for folder, split in found.items() if split == "train"]
    if "test" not in found.values() and {one for one in found if found[one] == "validation"} > (asked := _asked(found)):
        found.update(dict.fromkeys(asked, "test"))  # val and eval
    if deep.issuperset(train) and (like := nested.like_train(placed, train, found)):
        found.like_train = like
        found.update(dict.fromkeys(like, CHOSEN))
    return found if train and deep.issuperset(train) and len(set(found.values())) > 1 else None


def _asked(folders: Iterable[str]) -> set[str]:
    return {one for one in folders if "eval" in one.casefold()}


def _folds(placed: Sequence[Placed]) -> "_Splits | None":
    """Folders called fold_1, fold_2, … that hold folders of the same names: parts of one whole."""
    inside: dict[str, set[str]] = {}
    for one in placed:
        if len(one.parts) > 1:
            inside.setdefault(one.parts[0], set()).add(one.parts[1] if len(one.parts) + one.is_folder > 2 else "")
    classes = next(iter(inside.values()), set())
    if len(inside) < 2 or "" in classes or len(classes) < 2 or not all(map(FOLD.fullmatch, inside)):
        return None
    if any(one & classes != one or len(one) < 2 for one in inside.values()):
        return None
    found = _Splits(dict.fromkeys(inside, "train"))
    found.all_of_it = True
    return found


def _without_classes(placed: Sequence[Placed]) -> dict[str, str]:
    """Folders called unlabelled, beside those of classes."""
    return {one.parts[0]: UNLABELLED for one in placed if len(one.parts) > 1 and split_of(one.parts[0]) == UNLABELLED}


def _flat(placed: Sequence[Placed], splits: "_Splits") -> set[str]:
    """Folders of splits other than train that hold pictures and no folders of classes, as those have that one is to
    name oneself."""
    if splits.level:
        return set()
    deep = {one.parts[0] for one in placed if len(one.parts) + one.is_folder > 2}
    return {name for name, split in splits.items() if split not in ("train", CHOSEN, UNLABELLED) and name not in deep}


def _below(placed: Sequence[Placed]) -> "_Splits | None":
    """Folders named after splits in every folder of a class, and nothing else there."""
    inside = [one for one in placed if len(one.parts) > 1]
    found = _Splits({one.parts[1]: split for one in inside if (split := split_of(one.parts[1])) and len(one.parts) > 2})
    found.level, found.all_of_it = 1, True
    rest = [one for one in inside if one.parts[1] not in found and len(one.parts) + one.is_folder < 3]  # no masks
    with_train = {one.parts[0] for one in inside if found.get(one.parts[1]) == "train"}
    whole = not rest and with_train == {one.parts[0] for one in inside}
    return found if whole and len(set(found.values())) > 1 else None


def _refuse_twins(places: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError for two folders of one split whose names look the same, but for spaces or forms of accents."""
    seen: dict[tuple[str, str], str] = {}
    for split, name in places:
        other = seen.setdefault((split, visible(name)), name)
        if other != name:
            raise ValueError(
                f"two folders are called {clean(name)!r} and {clean(other)!r}, which look the same: rename one "
                "of them, or put their pictures together"
            )


def unread(names: Iterable[str], kinds: Mapping[str, str] = NOT_READ | STORES) -> str:
    """What to say where files are of another program's own kind, '' where none is."""
    for name in names:
        for suffix, kind in kinds.items():
            if re.search(rf"{re.escape(suffix)}(-\d+-of-\d+)?$", name.casefold()):
                return (
                    f". {clean(name)} is one of {kind}, which are not read: write the pictures into a folder for each "
                    "class, or into parquet, a table or an npz with their labels"
                )
    return ""


def _none(placed: Sequence[Placed], names: Sequence[str]) -> str:
    """What to say where pictures lie in no folder of a class or all in one, and where no file is called like a picture.
    names: of the folders."""
    files = [one.shown for one in placed if not one.is_folder]
    packed = [one for one in files if one.casefold().endswith(ARCHIVES)]
    pictures = sum(map(looks_like_a_picture, files))
    if packed and not pictures:
        return f". {some([clean(one) for one in packed])}: archives within it are not unpacked; unpack them first"
    if pictures:
        where = (
            f"All pictures lie in {clean(names[0])!r}" if names else f"Nothing says what its {pictures:,} pictures show"
        )
        return f". {where}: put them into folders called like their classes, or bring a table of their labels"
    if not files:
        return ""
    return f". {some([clean(one) for one in files])}: of no kind that is read. What is read: docs/datasets.md"


def _tables(placed: Sequence[Placed]) -> str:
    """What to say where labels seem to stand in a table that was not understood."""
    names = [one.shown for one in placed if not one.is_folder and one.shown.casefold().endswith(TABLES)]
    if not names:
        return ""
    if names[0].casefold().endswith((".xlsx", ".ods")):
        return f". {clean(names[0])} is a workbook, which is not read: save its sheet as CSV beside the pictures"
    return (
        f". No column of {clean(names[0])} was found to name these pictures or to hold some"
        f"{FLAGS}column image=NAME --column label=NAME"
    )
