"""Words looked for in classes, failure modes, slices, images, runs, notes, decisions, views, pages and the glossary.

What a run holds is put into words once and kept; a question then looks at some hundred entries, however many images
there are. A word of the question has to begin a word of the entry, capitals and accents aside; several words must all
be there.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np

from dashboard.data.run import RunData
from dashboard.format import glossary
from dashboard.records.decisions import CurrentLabels
from dashboard.records.feedback import Filter
from dashboard.records.rows import Closed
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import MAX_IDS, NO_LABEL, SPLITS, UNLABELLED, split_name
from ml.artifacts.reader import Broken, Missing
from ml.stats.failure_modes import TAGS
from ml.system.wording import quantity

MOST = 14  # lines of an answer
OF_A_KIND = 5  # lines of one kind, where others have something too
CANDIDATES = 6  # entries of a facet that are tried together with those of another
NOTES_READ = 1_000  # the newest feedback whose notes are looked at
VIEWS_READ = 500  # the newest saved views
LONGEST = 80  # characters of a question
TEXT = 60  # characters that Feedback's own filter takes
GALLERY, REVIEW, FEEDBACK, TRAINING = "/", "/review", "/feedback", "/training"
Chips = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Entry:
    """Something that can be found. more: a second line; words: what else it is called.

    path: of its page; chips: what it adds to a bare selection; search: its whole address where chips do not say it;
    term: a word of the glossary, which has no address; count: images, -1 where that says nothing.
    """

    kind: str
    title: str
    more: str = ""
    words: str = ""
    path: str = GALLERY
    chips: Chips = ()
    search: str | None = None
    term: str = ""
    count: int = -1


@dataclass(frozen=True)
class Place:
    """An entry with its words as they are compared."""

    entry: Entry
    title: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, entry: Entry) -> "Place":
        return cls(entry, folded(entry.title), tuple(tokens(f"{entry.title} {entry.words}")))

    def holds(self, wanted: Sequence[str]) -> set[int]:
        """Which of the wanted words begin one of its own."""
        return {i for i, word in enumerate(wanted) if any(own.startswith(word) for own in self.words)}

    def rank(self, question: str, wanted: Sequence[str]) -> int:
        """0 for its very title, then titles that begin so, that are among the words, that have it inside, the rest."""
        if self.title == question:
            return 0
        if self.title.startswith(question):
            return 1
        return 2 if set(tokens(self.title)) <= set(wanted) else 3 if question in self.title else 4


def folded(text: str) -> str:
    """Without capitals and accents: 'Čapka' and 'capka' are one."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one)).strip()


def tokens(text: str) -> list[str]:
    """Its words, folded; what is neither letter nor digit parts them, as do capitals within a word of the machine's."""
    return re.findall(r"\w+", folded(text).replace("_", " "))


def answer(
    services: Services, question: str, here: Selection, path: str, pages: Sequence[tuple[str, str]]
) -> list[Entry]:
    """What a question finds, the best first. here, path: what the reader looks at; pages: (path, title)."""
    question = " ".join(question.split())[:LONGEST]
    wanted = tokens(question)
    if not question:
        return []
    run = opened(services, here)
    found: list[Entry] = [*images(run, here, question)] if run else []
    places: list[Place] = []
    if run:
        known = index(services, run, here)
        found += together(run, here, known, wanted)
        places += known
        places += decisions(services, run, here)
    beside = (*saved_views(services), *listed_runs(services, path), *listed_pages(pages), *noted(services))
    places += [Place.of(one) for one in beside]
    places += WORDS
    phrase = folded(question)
    hits = [one for one in places if (wanted and len(one.holds(wanted)) == len(set(wanted))) or phrase in one.title]
    hits.sort(key=lambda one: one.rank(phrase, wanted))  # stable: kinds stay in their order
    alone = {one.entry.chips for one in hits}
    first = [one for one in found if not one.chips or one.chips not in alone]
    return [addressed(one, here) for one in cut([*first, *(one.entry for one in hits)])]


def cut(found: Iterable[Entry]) -> list[Entry]:
    """At most MOST; of one kind OF_A_KIND, and more where nothing else would stand there."""
    kept: list[Entry] = []
    rest: list[Entry] = []
    for one in dict.fromkeys(found):
        (kept if sum(other.kind == one.kind for other in kept) < OF_A_KIND else rest).append(one)
    return (kept + rest)[:MOST]


def addressed(entry: Entry, here: Selection) -> Entry:
    """With the address that it leads to, of what the reader looks at: run, split, labels and epoch stay."""
    if entry.search is not None or entry.term:
        return entry
    bare = here.clear().here()
    if not entry.chips:  # a page: the filters stay
        return replace(entry, search=here.here().query())
    return replace(entry, search=bare.with_(**dict(entry.chips)).query())


def opened(services: Services, here: Selection) -> RunData | None:
    """The run that the reader looks at, None where there is none."""
    try:
        return services.store.shown(here.run).for_selection(here)
    except (Missing, Broken):
        return None


def index(services: Services, run: RunData, here: Selection) -> list[Place]:
    """Classes, failure modes and slices of a run's split; those of its own files are made once."""
    nouns = tuple(sorted((noun, entry["sha256"]) for noun, entry in run.manifest["nouns"].items()))
    version = run.current_labels.version if run.current_labels else None
    key = ("search", run.run_id, nouns, here.split, run.epoch, version)
    own = services.store.keep(key, lambda: [Place.of(one) for one in (*classes(run, here), *modes(run, here))])
    return [*own, *(Place.of(one) for one in slices(services, run, here))]


def classes(run: RunData, here: Selection) -> Iterator[Entry]:
    """The images of each class, its mistakes, and what was called so."""
    try:
        predictions = run.predictions(here.split)
    except (Missing, Broken):
        return
    kept, size = predictions.kept, len(run.classes)
    labels, guesses = predictions.labels[kept], predictions.predicted[kept]
    n = np.bincount(labels, minlength=size)
    wrong = np.bincount(labels[~predictions.right[kept]], minlength=size)
    called = np.bincount(guesses, minlength=size)
    for i, name in enumerate(run.classes):
        yield Entry("Class", name, "labelled so", "true label class", chips=(("true", (name,)),), count=int(n[i]))
    for i, name in enumerate(run.classes):
        chips = (("true", (name,)), ("outcome", ("wrong",)))
        words = "wrong mistakes errors class"
        yield Entry("Class", name, "labelled so, predicted wrong", words, chips=chips, count=int(wrong[i]))
    for i, name in enumerate(run.classes):
        yield Entry("Class", name, "predicted so", "predicted guess", chips=(("pred", (name,)),), count=int(called[i]))


def modes(run: RunData, here: Selection) -> Iterator[Entry]:
    """The images of each failure mode that is known of the run."""
    for key, tag in TAGS.items():
        try:
            n = -1 if key == "runs-disagree" else len(run.tagged(here.split, key, here.against))
        except (Missing, Broken):
            continue  # the page of slices says what it needs
        yield Entry("Failure mode", tag.title, tag.means, f"tag {key}", chips=(("tag", (key,)),), count=n)


def slices(services: Services, run: RunData, here: Selection) -> Iterator[Entry]:
    """Saved slices, then weak ones."""
    for saved in services.store.slices.all(run.data_version):
        yield Entry("Slice", saved.name, saved.rule, "saved slice", chips=(("slice", (saved.key,)),))
    try:
        frame = run.slices(here.split)
    except (Missing, Broken):
        return
    for row in frame.itertuples():
        words, more = f"weak slice {row.slice}", f"weak: {row.wrong:,} of {row.n:,} wrong"
        yield Entry("Slice", str(row.name), more, words, chips=(("slice", (str(row.slice),)),), count=int(row.n))


OUTCOME = {"wrong": "wrong mistakes errors", "right": "right correct"}


def together(run: RunData, here: Selection, known: Sequence[Place], wanted: Sequence[str]) -> list[Entry]:
    """Selections by two things at once, where none alone has all words: a class and its guess, a mode of a class."""
    every = set(range(len(wanted)))
    if len(wanted) < 2 or any(place.holds(wanted) == every for place in known if len(place.entry.chips) == 1):
        return []
    facets: dict[str, list[tuple[str, str, set[int]]]] = {"true": [], "tag": [], "slice": [], "outcome": []}
    for place in known:
        name, values = place.entry.chips[0]
        held = Place(place.entry, place.title, tuple(tokens(place.entry.title))).holds(wanted)
        if held and name in facets and len(place.entry.chips) == 1 and len(facets[name]) < CANDIDATES:
            facets[name].append((values[0], place.entry.title, held))
    for outcome in OUTCOME:
        held = {i for i, word in enumerate(wanted) for own in OUTCOME[outcome].split() if own.startswith(word)}
        if held:
            facets["outcome"].append((outcome, outcome, held))
    found = []
    for (truth, truth_title, a), (guess, guess_title, b) in permutations(facets["true"], 2):
        if a | b == every and a != every and b != every:
            chips: Chips = (("true", (truth,)), ("pred", (guess,)))
            found.append(Entry("Images", f"{truth_title} predicted {guess_title}", "a cell of the matrix", chips=chips))
    several: list[Entry] = []  # with slices, which are many: where nothing else is found
    for first, second in combinations(("true", "tag", "slice", "outcome"), 2):
        for value, title, a in facets[first]:
            for other, other_title, b in facets[second]:
                if a | b == every and a != every and b != every:
                    chips = ((first, (value,)), (second, (other,)))
                    made = Entry("Images", f"{title}, {other_title}", "both hold", chips=chips)
                    (several if "slice" in (first, second) else found).append(made)
    counted = [replace(one, count=counted_of(run, here, one.chips)) for one in (found or several)[: 2 * CANDIDATES]]
    return sorted((one for one in counted if one.count > 0), key=lambda one: -one.count)


def counted_of(run: RunData, here: Selection, chips: Chips) -> int:
    """How many images a selection holds; 0 where that cannot be told."""
    try:
        return run.count(here.clear().with_(**dict(chips)))
    except (Missing, Broken):
        return 0


NAMED = re.compile(
    r"(?:(?P<split>test|validation|unlabelled|train(?:ing)?|image|id)s?\W+)?#?(?P<ids>\d{1,9}(?:[\s,]+#?\d{1,9})*)"
)


def images(run: RunData, here: Selection, question: str) -> Iterator[Entry]:
    """The images of the numbers in a question, '17', '#17', 'test 17' or '3, 17, 9', in the split that it names."""
    match = NAMED.fullmatch(folded(question))
    if not match:
        return
    ids = tuple(dict.fromkeys(int(one) for one in re.findall(r"\d+", match["ids"])))[:MAX_IDS]
    split = {"train": "reference", "training": "reference"}.get(match["split"] or "", match["split"])
    order = [split] if split in SPLITS else [here.split, *(one for one in SPLITS if one != here.split)]
    bare = here.clear().here()
    for split in order:
        try:
            predictions = run.predictions(split)
        except (Missing, Broken):
            continue
        held = [one for one in ids if there(predictions.ids, one)]
        if not held:
            continue
        chosen = bare.with_(split=split, ids=tuple(held), sort="given")
        if len(held) > 1:
            found = f"{quantity(len(held), 'image')} of {split_name(split)}"
            yield Entry("Images", found, search=chosen.query(), count=len(held))
            continue
        row = int(np.searchsorted(predictions.ids, held[0]))
        label, guess = predictions.label(row), run.classes[predictions.predicted[row]]
        truth = NO_LABEL if label is None else run.classes[label]
        said = "right" if truth == guess and label is not None else f"predicted {guess}"
        search = chosen.with_(sample=held[0]).query()
        yield Entry("Image", f"#{held[0]} of {split_name(split)}", f"{truth}, {said}", search=search)


def there(ids: np.ndarray, one: int) -> bool:
    """Whether an id is among these, which ascend."""
    at = int(np.searchsorted(ids, one))
    return at < len(ids) and int(ids[at]) == one


def listed_runs(services: Services, path: str) -> Iterator[Entry]:
    """Every run by name, network, data set, tags and note; it opens on the page one is on."""
    marks = services.store.marks()
    for entry in services.store.runs():
        mark = marks.of(entry.run_id)
        if not entry.ok:
            words = f"run broken {entry.run_id}"
            yield Entry("Run", marks.name(entry.run_id), f"broken: {entry.reason}", words, path=TRAINING, search="")
            continue
        about, network = entry.manifest["dataset"], entry.manifest["model"]
        words = f"run {entry.run_id} {network} {about['name']} {about.get('title', '')} {mark.note}"
        more = mark.note or f"{network} on {about.get('title') or about['name']}"
        search = Selection(run=entry.run_id).query()
        yield Entry("Run", marks.name(entry.run_id), more, f"{words} {' '.join(mark.tags)}", path=path, search=search)


def saved_views(services: Services) -> Iterator[Entry]:
    """Addresses that people saved, by name, description and who saved them."""
    try:
        newest = services.views.listing(limit=VIEWS_READ).views
    except Closed:  # the list of views says so
        return
    for view in newest:
        who = "" if services.read_only else view.who
        words = f"view {view.description} {who} {view.run}"
        yield Entry("View", view.name, view.description, words, path=view.page, search=view.search)


def listed_pages(pages: Sequence[tuple[str, str]]) -> Iterator[Entry]:
    """Every page by its name."""
    for path, title in pages:
        yield Entry("Page", title, words=f"page {path.strip('/')}", path=path)


def noted(services: Services) -> Iterator[Entry]:
    """The notes of feedback, each leading to its item; a read-only server shows none."""
    if services.read_only or not services.feedback.readable():
        return
    for item in services.feedback.listing(Filter(), limit=NOTES_READ):
        note = " ".join(item.note.split())
        if note:
            search = Selection(text=item.note.strip().splitlines()[0][:TEXT].strip()).query()
            yield Entry("Note", note[:LONGEST], f"feedback: {item.said} is {item.label}", path=FEEDBACK, search=search)


def decisions(services: Services, run: RunData, here: Selection) -> list[Place]:
    """The decisions that hold of labels; made anew once another is taken."""
    labels = services.decisions.current_labels(run.data_version)
    key = ("searched-decisions", run.data_version, labels.version, here.run)
    return services.store.keep(key, lambda: [Place.of(one) for one in decided(labels, here)])


def decided(labels: CurrentLabels, here: Selection) -> Iterator[Entry]:
    """Each decision, by class and by who took it."""
    for (split, example), one in labels.by.items():
        place = "reference" if split == "train" else split
        after = {"keep": "kept", "exclude": "left out"}.get(one.action, one.after)
        there = Selection(run=here.run, split=place, ids=(example,), sample=example)
        before = one.before or (NO_LABEL if split == UNLABELLED else "left out")
        title, more = f"{split} #{example}: {before} → {after}", one.who and f"by {one.who}"
        yield Entry("Decision", title, more, f"decision label {one.run} {one.who}", path=REVIEW, search=there.query())


def words() -> Iterator[Entry]:
    """The words of the field, each with what it means."""
    for term in glossary.TERMS:
        plain = re.sub(r"\*(.+?)\*", r"\1", term.plain)
        yield Entry("Word", term.word, plain, " ".join(term.also), term=term.slug, path="")


WORDS = [Place.of(one) for one in words()]
