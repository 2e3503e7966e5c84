"""Runs stand under their data set, and those that can be compared come first."""

from dashboard.components.picker import BROKEN, together

CATS, DOGS = "Cats", "Dogs"


def options(*groups: str) -> list[dict]:
    return [{"value": f"run{i}", "label": f"Run {i} · 90.0 %", "group": group} for i, group in enumerate(groups)]


def test_groups_stand_together_in_the_order_they_come_and_broken_runs_last():
    grouped = together(options(BROKEN, DOGS, CATS, DOGS))
    assert [one["value"] for one in grouped] == ["run1", "run3", "run2", "run0"]
    assert [one["value"] for one in together(grouped, first=CATS)] == ["run2", "run1", "run3", "run0"]
    assert together([], first=CATS) == []
