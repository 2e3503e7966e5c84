"""Buttons of classes: all of a few, of a thousand some and a pattern."""

import json

from dash import html

from dashboard.components import class_choices


def made(n, **more):
    names = [f"kind {i}" for i in range(n)]
    return class_choices.choices(names, lambda i, name: html.Button(f"{i}: {name}"), label="it", **more), names


def test_a_few_are_all_buttons():
    (box,), names = made(30, without=("kind 3",))
    assert [one.children for one in box.children] == [f"{i}: kind {i}" for i in range(30) if i != 3]
    assert class_choices.named(names) == {}


def test_of_a_thousand_there_are_some_and_what_makes_the_others():
    (box,), names = made(1_000, first=(700, 3), without=("kind 3",))
    _, first, pattern, found, _ = box.children
    assert first.children[0].children == "700: kind 700"
    assert len(first.children) == class_choices.FIRST
    assert "3: kind 3" not in [one.children for one in first.children]
    assert pattern.children.children == f"{class_choices.PLACE}: {class_choices.NAME}"
    assert getattr(found, "children", None) is None, "assets/classes.js fills it, React never does"
    assert json.loads(class_choices.named(names)["data-class-names"]) == names
