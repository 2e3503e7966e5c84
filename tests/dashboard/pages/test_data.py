"""What the Data page makes of what a browser sends, and of plans."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.components.page import Row, placed
from dashboard.pages.data import bring, plan_view, preview
from dashboard.services.imports import Preview
from dashboard.services.staging import Staged
from ml.data import Choices

STAGED = Staged("a" * 24, "My Pets.tar.gz", 3, None, 0.0)


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        (("auto", "auto", "auto", "auto", None), {}),
        (("28x28", "crop", "gray", "#ffffff", None), {
            "size": [28, 28], "fitting": "crop", "colour": False, "background": "#ffffff"}),
        (("auto", "auto", "auto", "auto", "box", "yes", "20", "auto", None), {
            "resampling": "box", "turned": True, "validation": 0.2}),
        (("1x999x", "melt", "pink", "javascript:", "x"), {}),
        ((None, 3, ["colour"], {}, {"of": "b" * 24, "splits": {"a": "test"}}), {}),
        (("auto", "auto", "colour", "auto", {"of": "a" * 24, "splits": {"eval": "test", "x": 3}, "columns": {}}),
         {"colour": True, "splits": {"eval": "test"}}),
    ],
)  # fmt: skip
def test_choices_are_what_the_import_takes(sent, understood):
    *values, parts = sent
    found = preview.choices("a" * 24, [*values, *["auto"] * (len(preview.FITS) - len(values))], parts)
    assert found == understood
    Choices.from_json(found)


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        (None, {}),
        ({"of": "b" * 24, "names": {"a": "b"}}, {}),
        ({"of": "a" * 24, "names": {"a": "b", "c": 3}, "order": ["b", 4]}, {"names": {"a": "b"}}),
        ({"of": "a" * 24, "names": {}, "order": ["b", "a"]}, {"order": ["b", "a"]}),
    ],
)
def test_names_and_order_of_classes(sent, understood):
    assert preview.named("a" * 24, sent) == understood


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("My Pets.tar.gz", "my-pets"), ("ß.zip", "ss"), ("猫.zip", "pictures"), ("a.b.parquet", "a-b"), ("pets", "pets")],
)
def test_a_name_is_suggested(name, suggested):
    assert preview.suggested(Staged("a" * 24, name, 1, None, 0.0)) in (suggested, "pictures")


def plan(classes: int) -> dict:
    names = [f"class {i}" for i in range(classes)]
    return {
        "kind": "a folder for each class", "n": 10 * classes, "size": [64, 48], "colour": True, "sizes": [[80, 60, 9]],
        "other_sizes": 4, "why_size": "chosen", "why_colour": "there is colour", "notes": ["a note"] * 30,
        "classes": [{"name": name, "n": {"train": 10, "test": 0}} for name in names], "unlabelled": 2,
        "left_out": [{"reason": "It is broken.", "n": 12, "names": ["a.png", "b.png"]}],
        "splits": {"train": 10 * classes, "test": 0}, "drawn": {"validation": 0.1},
        "parts": [{"name": "TRAIN", "split": "train", "n": 10}],
        "tables": [{"name": "l.csv", "columns": {"label": "kind"}, "way": "files", "others": ["breed"]}],
        "samples": {"class 0": ["data:image/png;base64,AA=="]},
    }  # fmt: skip


def text(component) -> str:
    if component is None or isinstance(component, str | int):
        return str(component or "")
    if isinstance(component, list | tuple):
        return " ".join(map(text, component))
    children = component["props"].get("children") if isinstance(component, dict) else component.children
    return text(children)


def test_a_plan_says_what_will_be_and_what_will_not():
    words = text(plan_view.drawn(STAGED, plan(3), {}, {}))
    for said in (
        "64 × 48, colour", "they are 80 × 60 and 4 other sizes; chosen", "Left out: 12", "a.png, b.png and 10",
        "10 % of train will be drawn for validation", "without labels 2", "none in test", "TRAIN",
    ):  # fmt: skip
        assert said in words, said


def test_a_thousand_classes_are_found_by_name_and_not_moved_by_hand():
    drawn = plan_view.classes(plan(1_000), {})
    assert "Find a class" in str(drawn)
    assert "data-move" not in str(drawn)
    assert "data-move" in str(plan_view.classes(plan(5), {}))


def test_what_was_chosen_stands_there_when_a_plan_is_drawn_anew():
    """Renamed, left out and moved classes, and columns, after another choice that is looked at anew."""
    named = {"names": {"class 0": "Zero", "class 2": ""}, "order": ["class 1", "Zero"]}
    drawn = plan_view.drawn(STAGED, plan(3), {"columns": {"label": "kind"}, "size": [8, 8]}, named)
    assert json.loads(getattr(drawn, "data-chosen")) == {"columns": {"label": "kind"}}
    fields = [[field["props"] for field in line.children[:2]] for line in drawn.children[-1].children[-1].children]
    assert [(name["value"], used["checked"]) for used, name in fields] == [
        ("class 1", True), ("Zero", True), ("class 2", False),
    ]  # fmt: skip
    staged = replace(STAGED, place=Path("/srv/home/uploads/1/pets.tar"))
    refused = preview.shown(staged, Preview(refused="/srv/home/uploads/1/pets.tar: none"), {}, {})
    assert text(refused).endswith("My Pets.tar.gz: none")
    assert "as it was found" in str(preview.shown(staged, Preview(refused="no"), {"columns": {"label": ""}}, {}))


def test_what_an_import_failed_of_waits_again():
    """Its columns may have been chosen wrong; it does not have to be sent a second time."""
    ends = {"a": "failed", "b": "running", "c": "done", "d": "cancelled"}
    brought = [replace(STAGED, id=one, name=f"{one}.zip", dataset=one, offset=3) for one in ends]
    jobs = [SimpleNamespace(spec={"upload": one}, state=end, active=end == "running") for one, end in ends.items()]
    services = SimpleNamespace(
        staging=SimpleNamespace(listing=lambda: brought, used=lambda: 3),
        imports=SimpleNamespace(listing=lambda: jobs),
        datasets=SimpleNamespace(known=lambda: {"c", "d"}),
    )
    said = text(bring.waiting(services))
    assert [name for name in ends if f"{name}.zip" in said] == ["a", "d"]


def test_a_server_that_takes_nothing_shows_what_is_here():
    """The page is drawn whole, without what is brought."""
    services = SimpleNamespace(read_only=True)
    drawn = placed(Row((bring, 5), (preview, 7)), services, None)
    assert bring.READ_ONLY in text(drawn)
