"""Two selections, or one selection and two runs: what each side holds and where its network looks."""

import csv
import dataclasses
import io

import numpy as np
import pytest

from dashboard.analysis import attention
from dashboard.data.store import Store
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from tests.callbacks import fired_in_process
from tests.dashboard.pages.test_prediction import words


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    (folder / "runs").mkdir()
    (folder / "index.json").write_text('{"default": null, "runs": []}')
    return folder


@pytest.fixture(scope="module")
def services(toy_home, artifacts):
    return Services(Store(artifacts, toy_home), Jobs(toy_home, artifacts=artifacts))


@pytest.fixture(scope="module")
def run(services):
    return services.store.open("toy")


def by_hand(services, run, rows, label=False):
    """Mean image, and mean of the maps above zero that each add up to one."""
    predictions, images = run.predictions("test"), run.pictures("test").images
    targets = predictions.labels if label else predictions.predicted
    maps = [np.maximum(services.explainer.attribution("toy", images[r], int(targets[r])), 0) for r in rows]
    return images[rows].mean(0), np.mean([m / m.sum() for m in maps if m.sum() > 0], axis=0)


@pytest.mark.parametrize("label", [False, True])
def test_means_and_their_difference_by_hand(services, run, label):
    predictions, classes = run.predictions("test"), run.classes
    held = Selection(true=(classes[1],), outcome=("right", "wrong"))
    look = "grad-cam,label" if label else None
    here = Selection(run="toy", true=(classes[0],), outcome=("right", "wrong"), versus=held.query(), look=look)
    compared = attention.compare(services, here)
    expected = [np.flatnonzero(predictions.labels == c) for c in (0, 1)]
    for side, rows in zip((compared.a, compared.b), expected, strict=True):
        np.testing.assert_array_equal(side.side.rows, rows)
        image, mean = by_hand(services, run, rows, label)
        np.testing.assert_allclose(side.image, image)
        np.testing.assert_allclose(side.typical.mean, mean, atol=1e-6)
        assert side.typical.mean.sum() == pytest.approx(1)
    np.testing.assert_allclose(compared.difference, compared.a.typical.mean - compared.b.typical.mean)
    least = np.minimum(compared.a.typical.mean, compared.b.typical.mean).sum()
    assert compared.overlap == pytest.approx(least)
    assert 0 < compared.overlap < 1
    assert compared.b.side.title == f"kept: true {classes[1]}"


def test_an_epochs_images_are_asked_about_in_the_kept_network_and_the_panel_says_so(services, run):
    from dashboard.components.explanations import kept
    from dashboard.pages.dashboard.attention import drawn

    here = Selection(run="toy", epoch=1, outcome=("wrong",), versus="rest")
    then, best = run.during(1), run.manifest["best_epoch"]
    compared = attention.compare(services, here)
    np.testing.assert_array_equal(compared.a.side.rows, np.flatnonzero(~then.predictions("test").right))
    assert compared.a.side.n + compared.b.side.n == len(run.predictions("test").ids)
    np.testing.assert_allclose(compared.a.typical.mean, by_hand(services, run, compared.a.side.rows)[1], atol=1e-6)
    note = f"that of epoch {best}, not the one after epoch 1"
    assert note in words(drawn(compared, "light", kept(then)))
    assert kept(run) == ""


def test_what_a_selection_can_be_held_against(services, run):
    predictions, classes = run.predictions("test"), run.classes
    here = Selection(run="toy", true=(classes[0],))
    _, right = attention.sides(services, here)
    np.testing.assert_array_equal(right.rows, np.flatnonzero((predictions.labels == 0) & predictions.right))
    a, rest = attention.sides(services, dataclasses.replace(here, versus="rest"))
    assert set(a.rows) | set(rest.rows) == set(range(len(predictions.ids)))
    assert not set(a.rows) & set(rest.rows)
    cell = dataclasses.replace(here, pred=(classes[0],), contrast=f"{classes[1]}~{classes[1]}", versus="contrast")
    _, other = attention.sides(services, cell)
    wanted = np.flatnonzero((predictions.labels == 1) & (predictions.predicted == 1))
    np.testing.assert_array_equal(other.rows, wanted)
    with pytest.raises(Missing, match="second cell"):
        attention.sides(services, dataclasses.replace(here, versus="contrast"))
    with pytest.raises(Missing, match="comparison needs two"):
        attention.sides(services, dataclasses.replace(here, versus="run"))


def test_one_selection_in_two_runs(home, artifacts):
    import json
    import shutil

    twin = home / "runs" / "twin"
    shutil.copytree(home / "runs" / "toy", twin)
    manifest = json.loads((twin / "manifest.json").read_text())
    (twin / "manifest.json").write_text(json.dumps({**manifest, "run_id": "twin"}))
    services = Services(Store(artifacts, home), Jobs(home, artifacts=artifacts))
    classes = services.store.open("toy").classes
    here = Selection(run="toy", against="twin", true=(classes[0],), versus="run")
    compared = attention.compare(services, here)
    assert [s.side.title for s in (compared.a, compared.b)] == ["toy", "twin"]
    assert compared.a.side.n == compared.b.side.n > 0
    assert not compared.difference.any(), "the same network looks at the same places"
    assert compared.overlap == pytest.approx(1)


def test_an_empty_side_is_said_in_words(services, run):
    from dashboard.pages.dashboard.attention import drawn

    nothing = Selection(ids=(10**8,)).query()
    compared = attention.compare(services, Selection(run="toy", true=(run.classes[0],), versus=nothing))
    assert (compared.b.side.n, compared.difference) == (0, None)
    assert "holds no image" in words(drawn(compared, "light"))


@pytest.fixture(scope="module")
def client(toy_home, artifacts):
    return fired_in_process(create_app(artifacts, home=toy_home))


def test_closed_it_asks_nobody_and_bad_addresses_are_read(client):
    panel = "dashboard-attention-body.tree"
    status, answer = client.fire(panel, "dashboard-attention-asked.data", dashboard_attention_asked__data="")
    assert (status, answer["dashboard-attention-body"]["tree"]) == (200, [])
    for forged in ("?versus=%3Ftrue%3D%00", "?versus=run", "?versus=contrast", "?versus=right&look=tea", ["?"], 7):
        status, answer = client.fire(panel, "dashboard-attention-asked.data", dashboard_attention_asked__data=forged)
        assert status == 200
        assert "could not be drawn" not in str(answer)


def test_an_address_that_names_nothing_keeps_its_choices_and_says_so(client):
    store = "dashboard-attention-asked"
    for search in ("?versus=foo", "?run=toy&versus="):
        _, answer = client.fire(
            "dashboard-attention-body.tree", f"{store}.data", dashboard_attention_asked__data=search
        )
        assert "names nothing that the selection can be held against" in str(answer["dashboard-attention-face"])
        _, answer = client.fire(
            "dashboard-attention-keep.children", f"{store}.data", dashboard_attention_asked__data=search
        )
        offered = answer["dashboard-attention-versus"]["options"]
        assert answer["dashboard-attention-versus"]["value"] == ""
        assert [one["value"] for one in offered][:2] == ["right", "rest"]
        assert answer["dashboard-attention-csv"]["children"] is None


def test_its_table_is_what_is_drawn(services, run, toy_home, artifacts):
    web = create_app(artifacts, home=toy_home).server.test_client()
    here = Selection(run="toy", true=(run.classes[0],), versus="rest")
    table = list(csv.reader(io.StringIO(web.get(f"/export/attention.csv{here.query()}").get_data(as_text=True))))
    compared = attention.compare(services, here)
    assert table[0][2] == f"mean image A of {compared.a.side.n}"
    values = np.array([[float(cell) for cell in line[:-2]] for line in table[1:]])
    assert len(values) == 28 * 28
    np.testing.assert_allclose(values[:, -1].reshape(28, 28), compared.difference, atol=1e-8)
    np.testing.assert_allclose(values[:, 4].reshape(28, 28), compared.a.typical.mean, atol=1e-8)
    assert web.get("/export/attention.csv?run=toy&versus=contrast").status_code == 404


@pytest.mark.browser
def test_open_hold_and_close(live_server, page, idle, run):
    from playwright.sync_api import expect

    page.goto(f"{live_server}/?true={run.classes[0]}&outcome=wrong&outcome=right")
    page.wait_for_function(idle)
    page.locator("#dashboard-attention-open").click()
    body = page.locator("#dashboard-attention-body")
    n = int((run.predictions("test").labels == 0).sum())
    expect(body).to_contain_text(f"mean of n = {n}", timeout=60_000)
    page.wait_for_url("**versus=right**")
    page.locator("#dashboard-attention-versus").select_option("rest")
    expect(body).to_contain_text("all other images")
    page.get_by_role("button", name="Hold this selection").click()
    page.wait_for_url("**versus=%3F**")
    page.locator("#dashboard-attention-target").select_option("label")
    page.wait_for_url("**look=grad-cam%2Clabel**")
    expect(body).to_contain_text(f"what spoke for its label, n = {n}")
    page.reload()
    expect(body).to_contain_text(f"what spoke for its label, n = {n}", timeout=60_000)
    page.locator("#dashboard-attention-open").click()
    page.wait_for_url(lambda url: "versus" not in url)
    expect(body).to_be_empty()
    page.wait_for_function(idle)
