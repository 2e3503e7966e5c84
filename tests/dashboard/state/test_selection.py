from dataclasses import fields
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.state import selection
from dashboard.state.selection import Selection
from dashboard.state.values import Lasso, MatrixView, exact
from dashboard.state.vocabulary import BUCKETS, LEVELS, MAX_IDS

names = st.text("abcZ09 /&=+%#?;,'\"<>éЖ漢", min_size=1, max_size=20)
shares = st.integers(0, 100).map(lambda n: n / 100)
points = st.tuples(*[st.integers(-99_999, 99_999).map(lambda n: n / 100)] * 2)
views = st.builds(
    MatrixView,
    normalise=st.sampled_from(["count", "row", "column"]),
    cluster=st.booleans(),
    log=st.booleans(),
    diagonal=st.booleans(),
    table=st.booleans(),
    top=st.none() | st.integers(0, 999),
)
selections = st.builds(
    Selection,
    run=st.none() | st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z"),
    against=st.none() | st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z"),
    split=st.sampled_from(["test", "validation", "reference"]),
    true=st.lists(names, max_size=3, unique=True).map(tuple),
    pred=st.lists(names, max_size=3, unique=True).map(tuple),
    outcome=st.sampled_from([(), ("wrong",), ("right",), ("wrong", "right")]),
    bucket=st.lists(st.sampled_from(BUCKETS), max_size=4, unique=True).map(tuple),
    conf=st.none() | st.tuples(shares, shares).map(lambda pair: tuple(sorted(pair))),
    tempered=st.none() | st.integers(0, 14).map(lambda k: (k / 15, (k + 1) / 15)),
    reject=st.none() | shares,
    tag=st.lists(names, max_size=2, unique=True).map(tuple),
    slice=st.lists(names, max_size=2, unique=True).map(tuple),
    epoch=st.none() | st.integers(1, 500),
    labels=st.sampled_from([None, "reviewed"]),
    contrast=st.none() | st.tuples(names, names).map("~".join),
    scaling=st.sampled_from([None, "temperature"]),
    level=st.sampled_from(LEVELS),
    abstain=st.none() | shares,
    way=st.none() | st.from_regex(r"\A[a-z][a-z-]{0,19}\Z"),
    edits=st.sampled_from([None, "rot:15", "shift:2:-1,blur:0.8,invert", "noise:0.1:7,brush:Av8BBAQ"]),
    matrix=views,
    lasso=st.none() | st.lists(points, min_size=3, max_size=8).map(lambda p: Lasso("map", tuple(p))),
    ids=st.lists(st.integers(0, 60_000), max_size=5, unique=True).map(tuple),
    sort=st.sampled_from(["confident", "unsure", "id"]),
    page=st.integers(1, 500),
    sample=st.none() | st.integers(0, 60_000),
)


@settings(max_examples=60, deadline=None)
@given(selections)
def test_a_url_gives_back_the_selection(selection):
    again = Selection.parse(selection.query())
    assert again.query() == selection.query()
    assert again.dropped == ()
    assert again.true == selection.true
    assert again.outcome == selection.outcome
    assert again.bucket == selection.bucket
    assert again.ids == selection.ids
    assert again.tag == selection.tag
    assert again.contrast == selection.contrast
    assert again.matrix == selection.matrix
    assert again.edits == selection.edits
    if selection.tempered:
        assert tuple(map(exact, again.tempered)) == selection.tempered


coordinates = st.floats(-1e12, 1e12, allow_nan=False)


@settings(deadline=None)
@given(
    st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 16),
)
@example([(5e-05, -1e-07), (1e12, 0.1), (-0.0, 3e-13)], 1e-05, 5e-06, 1e-05)  # as Python writes them: 5e-05
def test_no_number_is_written_that_is_not_read(vertices, reject, abstain, epsilon):
    selection = Selection(lasso=Lasso("map", tuple(vertices)), reject=reject, abstain=abstain, epsilon=epsilon)
    again = Selection.parse(selection.query())
    assert again.dropped == ()
    for read, meant in zip(again.lasso.vertices, vertices, strict=True):
        assert read == pytest.approx(meant, rel=1e-5, abs=1e-12)
    assert (again.reject or 0, again.abstain or 0) == (
        pytest.approx(reject, abs=1e-6),
        pytest.approx(abstain, abs=1e-6),
    )
    assert (again.epsilon or 0) == pytest.approx(epsilon, abs=1e-8)
    assert again.query() == Selection.parse(again.query()).query()


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_raises(text):
    Selection.parse("?" + text)
    Selection.parse(text).query()


@pytest.mark.parametrize("value", [None, 7, [], {"a": 1}, ""])
def test_what_is_no_text_is_the_default(value):
    assert Selection.parse(value) == Selection()


@pytest.mark.parametrize(
    "search",
    [
        "?split=reference2",
        "?outcome=maybe",
        "?bucket=only-c",
        "?conf=0.9-0.1",
        "?conf=0.1",
        "?conf=nan-1",
        "?page=0",
        "?page=-1",
        "?page=1e3",
        "?sample=x",
        "?run=../x",
        "?run=A",
        "?lasso=map:1,2;3,4",
        "?lasso=else:1,1;2,2;3,1",
        "?sort=best",
        "?colour=red",
        "?ids=" + ",".join(map(str, range(MAX_IDS + 1))),
        "?lasso=map:" + ";".join(["1,1"] * 101),
        "?true=",
        "?tempered=0.5",
        "?reject=1.5",
        "?labels=mine",
        "?contrast=Shirt",
        "?contrast=~Shirt",
        "?matrix=row,round",
        "?matrix=top1000",
        "?epoch=0",
        "?scaling=none",
        "?level=97",
        "?level=٩٥",
        "?abstain=2",
        "?way=Loose",
        "?way=../x",
        "?edits=",
        "?edits=rot",
        "?edits=rot:181",
        "?edits=zoom:٢",
        "?edits=invert:1",
        "?edits=turn:3",
        "?edits=brush:<script>",
        "?edits=" + ",".join(["invert"] * 41),
        "?edits=brush:" + "A" * 4_000,
    ],
)
def test_bad_values_are_dropped_and_named(search):
    selection = Selection.parse(search)
    assert selection == Selection()
    assert len(selection.dropped) == 1
    assert selection.query() == ""


def test_another_example_is_prepared_in_the_usual_way():
    here = Selection.parse("?level=99&abstain=0.8&way=loose&sample=3")
    assert here.with_(sample=4).query() == "?level=99&abstain=0.8&sample=4"
    assert here.with_(scaling="temperature").way == "loose"
    assert here.here().way is None


def test_class_names_are_percent_encoded():
    assert Selection(true=("T-shirt/top",), pred=("Ankle boot",)).query() == "?true=T-shirt%2Ftop&pred=Ankle%20boot"
    assert Selection.parse("?true=T-shirt/top&pred=Ankle+boot").query() == "?true=T-shirt%2Ftop&pred=Ankle%20boot"


def test_a_cell_replaces_adds_and_lets_go():
    shirt = Selection(outcome=("wrong",), page=3, sample=7).cell("Shirt", "Coat")
    assert shirt.query() == "?true=Shirt&pred=Coat"
    assert shirt.cell("Bag", "Dress").query() == "?true=Bag&pred=Dress"
    assert shirt.cell("Shirt", "Coat").query() == ""
    both = shirt.cell("Bag", "Dress", add=True)
    assert both.true == ("Shirt", "Bag")
    assert both.pred == ("Coat", "Dress")


def test_classes_that_share_a_row_are_chosen_together():
    rest = ("Bag", "Coat")
    there = Selection().cell("Shirt", rest)
    assert there.query() == "?true=Shirt&pred=Bag&pred=Coat"
    assert there.cell("Shirt", rest).query() == ""
    assert Selection().toggle("true", rest).true == rest
    assert Selection(true=rest).toggle("true", rest).true == ()
    assert Selection(true=("Shirt", *rest)).toggle("true", rest, add=True).true == ("Shirt",)


def test_a_class_toggles_and_adds():
    shirt = Selection().toggle("true", "Shirt")
    assert shirt.true == ("Shirt",)
    assert shirt.toggle("true", "Shirt").true == ()
    assert shirt.toggle("true", "Coat").true == ("Coat",)
    assert shirt.toggle("true", "Coat", add=True).true == ("Shirt", "Coat")
    assert shirt.toggle("true", "Coat", add=True).toggle("true", "Shirt", add=True).true == ("Coat",)


def test_without_filters_the_mistakes_are_meant():
    assert Selection().outcomes == ("wrong",)
    assert Selection(true=("Shirt",)).outcomes == ()
    assert Selection(outcome=("wrong", "right")).outcomes == ()
    assert Selection(run="x", split="validation", sort="id").outcomes == ("wrong",)
    assert Selection().explicit().query() == "?outcome=wrong"


def test_a_change_goes_back_to_page_one_and_closes_the_drawer():
    there = Selection(page=4, sample=3)
    assert there.with_(true=("Bag",)).query() == "?true=Bag"
    assert there.with_(page=5).sample == 3
    assert there.here().query() == ""


def test_a_bucket_narrows_and_without_any_filter_differences_are_meant():
    assert Selection(bucket=("only-a",), page=2).with_(bucket=("both",)).query() == "?bucket=both"
    assert Selection(bucket=("both",)).outcomes == ()
    assert Selection(run="a", against="b").differing().query() == "?run=a&against=b&bucket=only-a&bucket=only-b"
    assert Selection(true=("Bag",)).differing().bucket == ()
    assert Selection(bucket=BUCKETS).buckets == ()
    assert Selection(bucket=BUCKETS).narrowed
    assert Selection(bucket=("both",)).buckets == ("both",)


def test_swapping_turns_the_buckets_and_drops_what_was_said_of_one_run():
    there = Selection(run="a", against="b", true=("Bag",), bucket=("only-a", "neither"), conf=(0.1, 0.2), page=3)
    back = there.swapped("a", "b")
    assert back.query() == "?run=b&against=a&true=Bag&bucket=only-b&bucket=neither"
    assert back.swapped("b", "a").bucket == there.bucket


def test_a_fifteenth_is_meant_exactly_and_read_from_six_digits():
    selection = Selection(conf=(13 / 15, 14 / 15))
    assert selection.query() == "?conf=0.866667-0.933333"
    assert tuple(map(exact, Selection.parse(selection.query()).conf)) == (13 / 15, 14 / 15)
    assert exact(0.93) == 0.93
    assert Selection(conf=(0.9, 1.0), reject=0.85).query() == "?conf=0.90-1.00&reject=0.85"


def test_the_matrix_is_drawn_another_way_and_nothing_is_narrowed():
    there = Selection(true=("Bag",), page=3).view(normalise="row", log=True)
    assert there.query() == "?true=Bag&matrix=row%2Clog&page=3".replace("%2C", ",")
    assert there.view(normalise="count", log=False).query() == "?true=Bag&page=3"
    assert not Selection().view(cluster=True, diagonal=False, top=5).narrowed
    assert MatrixView().shown(10) == 10
    assert MatrixView().shown(100) == 20
    assert [MatrixView(top=n).shown(10) for n in (0, 5, 10, 40)] == [10, 5, 10, 10]


def test_the_first_cell_is_chosen_and_the_second_held_against_it():
    names = ("Shirt", "Coat", "a~b")
    one = Selection().beside("Shirt", "Coat")
    assert one.query() == "?true=Shirt&pred=Coat"
    two = one.beside("Coat", "a~b")
    assert two.query() == "?true=Shirt&pred=Coat&contrast=Coat~a~b"
    assert two.other_cell(names) == ("Coat", "a~b")
    assert two.contrasted(names).query() == "?true=Coat&pred=a~b"
    assert two.beside("Coat", "a~b").contrast is None
    assert two.cell("Coat", "Coat").contrast == two.contrast
    assert two.clear().query() == ""
    assert Selection(contrast="Hat~Coat").contrasted(names) is None
    assert not Selection(contrast="Coat~Coat").narrowed


def test_what_is_beside_the_selection_is_a_word_or_another_address():
    other = Selection(true=("T-shirt/top",), pred=("Shirt",)).query()
    for versus in ("right", "rest", "run", "contrast", other):
        kept = Selection(true=("Coat",), versus=versus, look="occlusion,label")
        assert Selection.parse(kept.query()) == kept
        assert not Selection(versus=versus).narrowed
    assert Selection.parse(Selection(versus=other).versus).true == ("T-shirt/top",)
    for wrong in ("versus=wrong", "versus=" + quote("?" + "a" * 3_000), "look=tea", "look=occlusion,both"):
        assert len(Selection.parse("?" + wrong).dropped) == 1


def test_every_field_is_for_one_thing():
    groups = [
        "SUBJECT",
        "FILTERS",
        "ATTENTION",
        "ANSWER",
        "PREPARATION",
        "LISTS",
        "DATASETS",
        "VIEW",
        "ROBUSTNESS",
        "UPLOADS",
    ]
    grouped = [name for group in groups for name in getattr(selection, group)]
    assert sorted(grouped) == sorted(f.name for f in fields(Selection) if f.name != "dropped")
    assert set(selection.RELISTED) <= set(grouped)


def test_a_split_may_be_named_as_it_stands_on_screen():
    assert Selection.parse("?split=train") == Selection(split="reference")
    assert Selection(split="reference").query() == "?split=reference", "one name in addresses"
