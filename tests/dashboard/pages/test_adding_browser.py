"""A network and a table of predictions dropped in a real browser become runs: looked at, changed, published, opened."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dashboard.shell import create_app
from ml.data import Choices, import_dataset, load
from tests import own_networks
from tests.accessibility import SERIOUS, violations

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms for what starts a worker
NAMES = ("boot", "bag", "coat", "hat")


@pytest.fixture
def bars(home, tmp_path):
    """A data set of four classes in the home, and a folder for what is brought."""
    made = load("synthetic-4-28x28x1")
    for split in ("train", "validation", "test"):
        for i, (image, label) in enumerate(zip(made[split].images, made[split].labels, strict=True)):
            folder = tmp_path / "bars" / split / NAMES[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(image)[..., 0]).save(folder / f"{split}-{i}.png")
    import_dataset(tmp_path / "bars", "bars", Choices(), title="Bars", home=home)
    return load("bars", home=home)


def test_a_network_and_predictions_become_runs(bars, home, tmp_path, no_artifacts, serving, page, idle):
    names = {name: f"{name} 2" if name == "hat" else name for name in bars.classes}
    network = own_networks.network(bars, tmp_path / "My net.onnx", data="My net.onnx.data", most=255)
    table = own_networks.predictions(bars, tmp_path / "said.csv", names=names, more=7)
    address = serving(create_app(no_artifacts, home=home))
    page.goto(f"{address}/training?dataset=bars#add")
    panel, understood = page.locator("#runs-add"), page.locator("#runs-add-understood")
    expect(panel).to_be_in_viewport()
    expect(page.locator("#runs-add-dataset")).to_have_value("bars")
    expect(understood).to_contain_text("Nothing is being looked at")
    page.set_input_files("#runs-add-upload input", [str(network), f"{network}.data"])
    expect(understood).to_contain_text("its weights lay beside it".capitalize(), timeout=PATIENCE)
    expect(understood).to_contain_text("Outputs are the classes by number")
    expect(understood).not_to_contain_text("--")
    expect(page.locator("#runs-add-name")).to_have_value("my-net")
    assert not violations(page, SERIOUS)

    # one thing is said otherwise, and understood anew
    understood.locator("summary", has_text="Say it otherwise").click()
    understood.locator("select[data-wish='network.range']").select_option("-1-1")
    expect(understood).to_contain_text("Pixels: -1-1 (as was said)", timeout=PATIENCE)
    understood.locator("select[data-wish='network.range']").select_option("")
    expect(understood).to_contain_text("Pixels: 0-1.", timeout=PATIENCE)

    # it wants pixels from 0 to 255, which nobody said; nothing is chosen for the person
    doctor = page.locator("#runs-add-doctor")
    rows = doctor.locator("tbody tr")
    expect(rows.first).to_contain_text("as stated", timeout=PATIENCE)
    expect(rows.first).to_contain_text("in use")
    expect(doctor).to_contain_text("use it?")
    assert not violations(page, SERIOUS)
    doctor.get_by_role("button", name="Use this: pixels 0 to 255", exact=True).click()
    expect(understood).to_contain_text("deviation 0.00392157 of 0 to 1 (as was said)", timeout=PATIENCE)
    expect(rows.filter(has=page.get_by_text("pixels 0 to 255", exact=True))).to_contain_text("in use")
    expect(rows.first).to_contain_text("as stated")
    page.fill("#runs-add-name", "toy")
    expect(page.locator("#runs-add-named")).to_contain_text("There is a run toy already")
    page.fill("#runs-add-name", "Net of Mine")
    expect(page.locator("#runs-add-named")).to_have_text("In addresses it is net-of-mine.")
    page.click("#runs-add-start")
    job = page.locator("#runs-add-jobs [data-job]").first
    expect(job).to_contain_text("net-of-mine")
    expect(understood).to_contain_text("Nothing is being looked at")

    # meanwhile a table, in which a class is called otherwise
    page.set_input_files("#runs-add-upload input", str(table))
    box = understood.locator("select[data-wish='predictions.names'][data-key='hat 2']")
    expect(box).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#runs-add-start")).to_be_disabled()
    box.select_option("hat")
    understood.get_by_role("button", name="Take these names").click()
    expect(understood).to_contain_text("600 of 607", timeout=PATIENCE)
    understood.locator("summary", has_text="Left out: 7").click()
    with page.expect_download() as download:
        understood.get_by_text("All of them as CSV").click()
    assert download.value.path().read_text(encoding="utf-8-sig").count("\n") == 8
    page.click("#runs-add-start")
    done = page.locator("#runs-add-jobs [data-job]", has_text="Added in")
    expect(done).to_have_count(2, timeout=2 * PATIENCE)
    expect(done.first).to_contain_text("Of 200 validation images")
    assert not violations(page, SERIOUS)
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size({"width": 1440, "height": 900})

    # it is in the table and the picker, and opens
    expect(page.locator("#training-runs-table")).to_contain_text("net-of-mine")
    panel.get_by_role("button", name="Open net-of-mine").click()
    expect(page.locator("#selection-count")).to_be_visible()
    expect(page.locator("#run-picker")).to_contain_text("net-of-mine")
    page.go_back()
    panel.get_by_role("button", name="Compare said with net-of-mine").click()
    expect(page).to_have_url(re.compile(r"/comparison\?(?=.*run=said)(?=.*against=net-of-mine)"))
