"""Runs are offered under the data set they learned from, those that can be compared first."""

import json
import shutil

import pytest

from tests.callbacks import fired_in_process


@pytest.fixture
def client(home, no_artifacts):
    """The toy run and `again` on the same pictures; `other` on a data set of another name."""
    from dashboard.shell import create_app

    for run_id, dataset in (("other", {"name": "elsewhere", "title": "Elsewhere"}), ("again", {})):
        made = shutil.copytree(home / "runs" / "toy", home / "runs" / run_id)
        manifest = json.loads((made / "manifest.json").read_text())
        manifest["run_id"] = run_id
        manifest["dataset"] |= dataset
        (made / "manifest.json").write_text(json.dumps(manifest))
    return fired_in_process(create_app(no_artifacts, home=home))


def test_runs_of_one_data_set_stand_together(client):
    _, made = client.fire_with("run-picker.options", "url.pathname", {"url.pathname": "/"})
    groups = [option["group"] for option in made["run-picker"]["options"]]
    assert len(groups) == 3
    assert len(set(groups)) == 2
    assert groups in ([groups[0], groups[0], "Elsewhere"], ["Elsewhere", groups[-1], groups[-1]])


@pytest.mark.parametrize(("run", "first"), [("toy", ["again"]), ("again", ["toy"])])
@pytest.mark.parametrize("page", ["comparison", "robustness"])
def test_a_comparison_offers_runs_of_the_same_data_first(client, page, run, first):
    values = {"app-view-state.data": f"?run={run}"}
    _, made = client.fire_with(f"{page}-against.options", "app-view-state.data", values)
    offered = made[f"{page}-against"]["options"]
    assert [option["value"] for option in offered] == [*first, "other"]
    assert not offered[0].get("disabled")
    assert offered[1]["disabled"]
