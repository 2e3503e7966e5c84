"""A folder dropped in a real browser becomes a data set: looked at, changed, imported, described, put away, back."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dashboard.shell import create_app
from tests.accessibility import SERIOUS, violations

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms for an import, which starts a worker


@pytest.fixture
def pets(tmp_path):
    """Three classes of twelve pictures of other sizes, and a file that is none; one name is long and not plain."""
    rng = np.random.default_rng(0)
    for value, name in enumerate(("cat", "dog", "fox")):
        folder = tmp_path / "pets" / name
        folder.mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 60, (20 + i, 24, 3)).astype(np.uint8) + np.uint8(60 * value)
            Image.fromarray(pixels).save(folder / (f"{i}.png" if i else f"{'ä' * 60}-{'x' * 60}.png"))
    (tmp_path / "pets" / "dog" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (tmp_path / "pets" / "README.md").write_text("Pets.")
    return tmp_path / "pets"


@pytest.mark.allow_problems("ERR_CONNECTION_RESET")
def test_a_folder_becomes_a_data_set(pets, home, no_artifacts, serving, page, idle):
    address = serving(create_app(no_artifacts, home=home))
    page.goto(f"{address}/data")
    expect(page.locator("#data-table tr[data-dataset]").first).to_be_visible()
    expect(page.locator("#data-status")).to_have_text("")
    broken = []  # a connection that breaks once, in the middle

    def first_breaks(route):
        if route.request.method == "PATCH" and not broken:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/uploads/*", first_breaks)
    page.set_input_files("#data-import input[data-brings=folder]", str(pets))
    classes = page.locator("#data-preview [data-class-of]")
    expect(classes).to_have_count(3, timeout=PATIENCE)
    assert broken
    page.unroute("**/api/v1/uploads/*")
    preview = page.locator("#data-preview")
    expect(preview).to_contain_text("a folder for each class")
    expect(preview).to_contain_text("Left out: 1")
    expect(preview.locator("img")).to_have_count(12)
    expect(page.locator("#data-name-input")).to_have_value("pets")
    assert not violations(page, SERIOUS)

    # what is wrong is changed
    page.select_option("#data-size-select", "16x16")
    expect(preview).to_contain_text("16 × 16, colour", timeout=PATIENCE)
    page.fill("#data-preview [data-class-of=dog] input[data-class-name]", "hound")
    page.get_by_role("button", name="Move fox up").click()
    expect(page.locator("#data-preview [data-class-of]").nth(1)).to_have_attribute("data-class-of", "fox")
    page.fill("#data-name-input", "My Pets")
    page.fill("#data-title-input", "Pets <b>of mine</b>")
    page.click("#data-import-start")
    expect(page.locator("#data-status")).to_have_text("done", timeout=PATIENCE)
    expect(page.locator("#data-progress")).to_have_text("36/36")
    row = page.locator("#data-table tr[data-dataset=my-pets]")
    expect(row).to_contain_text("Pets <b>of mine</b>")
    about = json.loads((home / "datasets" / "my-pets" / "dataset.json").read_text())
    assert (about["classes"], about["height"], about["width"]) == (["cat", "fox", "hound"], 16, 16)

    # it is looked at and described
    row.get_by_role("button", name="Open").click()
    look = page.locator("#data-look")
    expect(look.locator(".set-classes li")).to_have_count(3)
    expect(look).to_contain_text("Left out: 2")  # one of them only told when it was read
    expect(look).to_contain_text("Imported from pets.tar")
    look.locator("summary", has_text="Rename or describe").click()
    look.locator("input[data-edit=title]").fill("Beasts")
    look.locator("button[data-save-set]").click()
    expect(row).to_contain_text("Beasts")
    assert not violations(page, SERIOUS)

    # put away, and back
    away = row.get_by_role("button", name="Delete")
    away.click()
    away.click()
    expect(page.locator("#data-sets-said")).to_have_text("my-pets is in the trash for 30 days.")
    expect(row).to_have_count(0)
    page.click("#data-sets-undo")
    expect(row).to_contain_text("Beasts")
    assert (home / "datasets" / "my-pets" / "train.npy").is_file()

    # what is trained on it is chosen
    row.get_by_role("button", name="Train on").click()
    expect(page.locator("#training-dataset-select")).to_have_value("my-pets")


def test_what_nobody_can_tell_is_asked(tmp_path, home, no_artifacts, serving, page, idle):
    """A table without a column that is called after labels, and a word for a split that is none."""
    rng = np.random.default_rng(1)
    with zipfile.ZipFile(tmp_path / "fruit.zip", "w") as archive:
        lines = ["path,ripe,kind,set"]
        for i in range(24):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(file, "PNG")
            archive.writestr(f"images/{i}.png", file.getvalue())
            lines.append(
                f"images/{i}.png,{i % 2},{('fig', 'kiwi')[i % 2]}{i % 3 // 2},{('train', 'pilot')[i % 4 // 3]}"
            )
        archive.writestr("table.csv", "\n".join(lines))
    address = serving(create_app(no_artifacts, home=home))
    page.goto(f"{address}/data")
    page.set_input_files("#data-import input[data-brings=files]", str(tmp_path / "fruit.zip"))
    preview = page.locator("#data-preview")
    expect(preview).to_contain_text("Say what the columns hold", timeout=PATIENCE)
    expect(preview).to_contain_text("which column is the label?")
    expect(preview).not_to_contain_text("--column")
    expect(page.locator("#data-import-start")).to_be_disabled()
    assert not violations(page, SERIOUS)
    preview.locator("select[data-column-of=label]").select_option("kind")
    expect(preview.locator("[data-class-of]")).to_have_count(4, timeout=PATIENCE)
    expect(preview).to_contain_text("Left out: 6")
    preview.locator("select[data-split-of=pilot]").select_option("validation")
    expect(preview).to_contain_text("validation 6", timeout=PATIENCE)
    expect(preview).not_to_contain_text("Left out")
    expect(page.locator("#data-import-start")).to_be_enabled()


def test_files_are_called_by_what_their_names_share(tmp_path, home, no_artifacts, serving, page, idle):
    rng = np.random.default_rng(2)
    np.save(tmp_path / "fruit-of-may_images.npy", rng.integers(0, 256, (24, 8, 8), np.uint8))
    np.save(tmp_path / "fruit-of-may_labels.npy", np.arange(24) % 2)
    address = serving(create_app(no_artifacts, home=home))
    page.goto(f"{address}/data")
    shapes = page.locator("#data-preview .shapes figure")
    expect(shapes).to_have_count(3)
    field = page.locator("#data-import input[data-brings=files]")
    field.set_input_files([str(tmp_path / f"fruit-of-may_{one}.npy") for one in ("images", "labels")])
    expect(page.locator("#data-name-input")).to_have_value("fruit-of-may", timeout=PATIENCE)
    expect(shapes).to_have_count(0)
    expect(page.locator("#data-preview [data-class-of]")).to_have_count(2, timeout=PATIENCE)  # nothing is left running
