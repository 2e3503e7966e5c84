"""The prediction page: what its callbacks say, and the page itself in a browser."""

import base64
import csv
import errno
import io
import json
import re
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from plotly.io.json import to_json_plotly

from dashboard.analysis import prediction_sets, preparation_worth
from dashboard.components import evidence, explanations
from dashboard.data.store import Store
from dashboard.pages import PAGES, prediction
from dashboard.pages.prediction import (
    answer,
    answer_state,
    answer_text,
    explained,
    familiarity,
    layers,
    other_runs,
    picture,
    preparation,
    request,
    saliency,
    samples,
    variants,
)
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.gathering import Crowded
from dashboard.services.jobs import Jobs
from dashboard.services.networks import Networks
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import LEVELS
from ml.artifacts.reader import Missing
from ml.images.preparation import PHOTOGRAPH_STEPS
from ml.images.preparation_variants import Agreement, Variant
from ml.system import disk
from tests.accessibility import SERIOUS, both_themes, violations
from tests.callbacks import fired_in_process


@pytest.fixture
def services(home, no_artifacts):
    return Services(Store(no_artifacts, home), Jobs(home))


@pytest.fixture
def run(services):
    return services.store.open("toy")


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def words(component) -> str:
    """All text in a component."""
    if component is None:
        return ""
    if isinstance(component, str):
        return component
    if isinstance(component, list | tuple):
        return "".join(words(part) for part in component)
    return words(getattr(component, "children", None))


def photo() -> np.ndarray:
    """A dark bar on a light ground, 300 × 200."""
    image = np.full((200, 300, 3), 240, np.uint8)
    image[40:160, 100:140] = (60, 40, 30)
    return image


def test_an_uploaded_test_picture_gets_its_recorded_answer(services, run):
    recorded = run.predictions("test")
    for row in (0, 1, 2, 3, 100):
        kept = picture.keep(url(png(run.pictures("test").images[row])), "shoe.png")
        shown = answer.ask(services, Selection(), kept, "auto")
        assert shown.text.label == run.classes[recorded.predicted[row]]
        assert words(shown.text.confidence) == f"{100 * recorded.confidence[row]:.1f} %"
        assert shown.face is None
        assert shown.error == ""
        assert shown.more is False
        assert "shoe.png · 28 × 28" in shown.caption
        still = {name for name in preparation.SWITCHES if not item(shown, name)["switch"]["disabled"]}
        assert still == {"hand"}, "nothing else to switch on a picture that passes unchanged"


def test_a_test_picture_is_named_by_the_address(services, run):
    recorded = run.predictions("test")
    wrong = int(np.flatnonzero(~recorded.right)[0]) if (~recorded.right).any() else None
    right = int(np.flatnonzero(recorded.right)[0])
    for row, badge in ((right, "right"), (wrong, "wrong")):
        if row is None:
            continue
        shown = answer.ask(services, Selection.parse(f"?sample={recorded.ids[row]}"), {"src": "ignored"}, "auto")
        assert shown.text.label == run.classes[recorded.predicted[row]]
        assert words(shown.text.truth) == f"Labelled {run.classes[recorded.labels[row]]} {badge}"
        assert shown.state["truth"] == recorded.labels[row]


def item(shown: answer.Shown, name: str) -> dict:
    """A step as it is shown: its picture's address, its switch, its note, whether it is faint."""
    step = shown.steps[preparation.NAMES.index(name)]["props"]
    frame, says = (part["props"] for part in step["children"])
    label, note = (part["props"] for part in says["children"])
    assert frame["id"] == preparation.picture_id(name)
    assert note["id"] == preparation.note_id(name)
    return {
        "src": frame["children"]["props"]["src"],
        "switch": label["children"][0]["props"],
        "note": note["children"],
        "idle": step["className"] == "idle",
    }


def test_a_photo_shows_every_step_and_each_can_be_switched_off(services):
    kept = picture.keep(url(png(photo())), "bar.png")
    shown = answer.ask(services, Selection(), kept, "full")
    assert len(shown.steps) == len(preparation.NAMES) == 10
    for name in preparation.NAMES:
        step = item(shown, name)
        assert step["src"].startswith("data:image/")
        assert step["switch"]["checked"]
        assert step["switch"]["disabled"] == (name == "resize")
    assert item(shown, "polarity")["note"] == "turned over: light on dark"
    assert not item(shown, "polarity")["idle"]
    assert item(shown, "hand") | {"src": ""} == item(shown, "hand") | {
        "src": "",
        "note": "nothing asked for",
        "idle": True,
    }
    for name in preparation.SWITCHES:
        off = answer.ask(services, Selection(), kept, "full", [name])
        assert item(off, name)["note"] == "left out"
        assert not item(off, name)["switch"]["checked"]
        assert item(off, name)["idle"]
    off = answer.ask(services, Selection(), kept, "full", ["polarity", "ironing", 7, {}])
    assert item(off, "contrast")["src"] != item(shown, "contrast")["src"]
    never = answer.ask(services, Selection(), kept, "none")
    assert {item(never, name)["note"] for name in PHOTOGRAPH_STEPS} == {"left out"}
    assert all(item(never, name)["switch"]["disabled"] for name in preparation.SWITCHES if name != "hand")


def test_auto_says_which_steps_it_takes_and_what_they_are_worth(services, run):
    kept = picture.keep(url(png(photo())), "bar.png")
    shown = answer.ask(services, Selection(), kept, "auto")
    table = run.preparation().set_index(["given", "steps"])
    assert run.manifest["preparation"] == [], "so few photographs cannot tell"
    every = " ".join(PHOTOGRAPH_STEPS)
    for steps in ("", every):
        right, n = table.loc[("photographs", steps), "correct"], table.loc[("photographs", steps), "n"]
        assert f"{right:,} of {n:,}" in shown.summary
    assert "Auto takes no steps for photographs" in shown.summary
    assert item(shown, "crop")["switch"]["disabled"]
    assert not item(shown, "square")["idle"] or item(shown, "square")["switch"]["disabled"]


def test_a_run_without_the_table_names_the_command(run, monkeypatch):
    def missing():
        raise Missing("Not there.", "python -m ml evaluate toy --only preparation")

    monkeypatch.setattr(run, "preparation", missing)
    told = preparation_worth.measured(run)
    assert "python -m ml evaluate toy --only preparation" in told.words
    assert told.steps == {}


def test_the_headline_does_not_contradict_the_warning(services, run):
    rng = np.random.default_rng(0)
    shots = [rng.integers(0, 256, (28, 28, 1)).astype(np.uint8), *run.pictures("test").images[:40]]
    found = {bool(services.ood.unlike("toy", shot)): shot for shot in shots}
    assert set(found) == {True, False}
    for unlike, shot in found.items():
        shown = answer.ask(services, Selection(), picture.keep(url(png(shot)), "a.png"), "auto")
        headline = json.dumps(shown.text.unlike, default=str)
        assert ("Unlike anything it was trained on" in headline) == unlike
        again = answer.text_of_state(services, Selection(), shown.state)
        assert bool(again.unlike) == unlike, "told another way it says the same"


def by_hand(kept: dict, turn: object = 0, box: object = None) -> dict:
    return {"turn": turn, "box": box, "of": request.stamp(kept["src"])}


def test_a_turn_and_a_cut_travel_with_every_question(services):
    kept = picture.keep(url(png(photo())), "bar.png")
    plain = answer.ask(services, Selection(), kept, "auto")
    turned = answer.ask(services, Selection(), kept, "auto", [], by_hand(kept, 90, [0.25, 0, 1, 0.5]))
    assert item(turned, "hand")["note"] == "turned by 90° and cut"
    assert turned.state != plain.state
    question = request.read(services, Selection(), kept, "auto", [], by_hand(kept, 90, [0.25, 0, 1, 0.5]))
    assert question.options == {"mode": "auto", "off": (), "turn": 90.0, "box": (0.25, 0.0, 1.0, 0.5)}


def test_what_was_drawn_on_another_picture_or_cannot_be_meant_is_left_out(services):
    kept = picture.keep(url(png(photo())), "bar.png")
    other = by_hand(picture.keep(url(png(255 - photo())), "bar.png"), 90, [0, 0, 0.5, 0.5])
    forged = [
        other,
        7,
        {"of": 5},
        by_hand(kept, "90", "all"),
        by_hand(kept, True, [0, 0, 0, 1]),
        by_hand(kept, 1e9, [0.5, 0, 0.2, 1]),
        by_hand(kept, float("inf"), [0, 0, 1, float("nan")]),
        by_hand(kept, [90], [0, 0, 1]),
    ]
    for hand in forged:
        assert request.read(services, Selection(), kept, "auto", [], hand).options["turn"] == 0
        assert request.read(services, Selection(), kept, "auto", [], hand).options["box"] is None


def test_a_test_picture_can_be_turned_too(services, run):
    source = answer.ask(services, Selection(sample=3), None, "auto").shown["src"]
    shown = answer.ask(services, Selection(sample=3), None, "auto", None, by_hand({"src": source}, 180))
    assert item(shown, "hand")["note"] == "turned by 180°"
    assert item(answer.ask(services, Selection(sample=4), None, "auto", None, by_hand({"src": source}, 180)), "hand")[
        "idle"
    ]


def test_an_upload_is_not_sent_back(services):
    kept = picture.keep(url(png(photo())), "bar.png")
    shown = answer.ask(services, Selection(), kept, "auto")
    assert shown.shown == {"src": "", "alt": "The picture you gave", "crisp": False}
    assert kept["src"] not in json.dumps([shown.steps, shown.state])


@pytest.mark.parametrize("came", [None, "big", [1], [0, 4], [4e9, 4], [True, 4], {"a": 1}])
def test_the_size_before_it_travelled_is_said(came):
    kept = picture.keep(url(png(photo())), "bar.png", [4000, 3000])
    assert picture.caption(kept) == "bar.png · 4000 × 3000, sent as 300 × 200"
    assert picture.caption(picture.keep(url(png(photo())), "bar.png", came)) == "bar.png · 300 × 200"


def test_both_sizes_of_a_turned_photograph_are_upright():
    """A telephone stores a portrait lying, with a note that it is turned; the browser tells its size upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(file, "JPEG", exif=exif)
    kept = picture.keep(url(file.getvalue()), "me.jpg", [3000, 4500])
    assert picture.caption(kept) == "me.jpg · 3000 × 4500, sent as 200 × 300"


def test_a_file_is_read_as_the_data_set_of_the_run_reads_files():
    clear = np.dstack([photo(), np.zeros((200, 300), np.uint8)])
    how = {"laid_on": "#ff8000", "levels": (0.0, 4095.0)}
    kept = picture.keep(url(png(clear)), "bar.png", None, how)
    seen = uploads.decode(uploads.from_data_url(kept["src"])).pixels
    assert (seen == (255, 128, 0)).all()
    deep = np.full((20, 20, 1), 4095, np.uint16)
    kept = picture.keep(url(png(deep)), "deep.png", None, how)
    assert uploads.decode(uploads.from_data_url(kept["src"])).pixels.min() == 255


def test_nothing_yet_is_an_empty_face(services):
    shown = answer.ask(services, Selection(), None, "auto")
    assert words(shown.face) == f"{answer.NO_PICTURE_YET}What it can name.Synthetic barsBar 0, Bar 1, Bar 2, Bar 3"
    assert shown.text.label == ""
    assert shown.state is None
    assert shown.more is True


def empty_faces(tree) -> list[str]:
    """What faces say that wait for nothing, of a part of a page."""
    if isinstance(tree, list):
        return [face for one in tree for face in empty_faces(one)]
    if not isinstance(tree, dict):
        return []
    names = str((tree.get("props") or {}).get("className", "")).split()
    here = [json.dumps(tree)] if "face" in names and "wait" not in names and "ico-empty" in json.dumps(tree) else []
    return here or [face for value in tree.values() for face in empty_faces(value)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_no_page_says_that_nothing_is_there_while_an_answer_is_on_its_way(services, page):
    def faces(selection: Selection) -> list[str]:
        return empty_faces(json.loads(to_json_plotly(page.layout(services, selection))))

    assert faces(Selection(sample=7)) == []
    assert bool(faces(Selection())) == (page.path == "/prediction")  # which waits for a picture from somebody


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"<svg/>", "an SVG drawing"), (b"hello", "not a picture"), (b"\x89PNG\r\n", "not a picture")],
)
def test_refusals_reach_the_page_in_words(services, content, reason):
    kept = picture.keep(url(content), "evil<script>.png")
    assert set(kept) == {"name", "error"}
    shown = answer.ask(services, Selection(), kept, "auto")
    assert reason in shown.error
    assert "12 MB" in shown.error
    assert shown.text.label == ""
    assert words(shown.face) == answer.REFUSED


@pytest.mark.parametrize(
    "kept",
    [
        [],
        "text",
        7,
        {"src": None},
        {"src": "data:image/png;base64,AAAA"},
        {"src": 5, "name": {}},
        {"error": ["x" * 10_000]},
        {"src": "javascript:alert(1)"},
    ],
)
def test_forged_memory_of_the_tab_is_refused_not_trusted(services, kept):
    shown = answer.ask(services, Selection(), kept, {"mode": 1}, {"off": 1}, [1])
    assert shown.text.label == ""
    assert shown.face is not None
    assert len(shown.error) <= 400


def test_an_unknown_sample_is_a_face_with_words(services):
    shown = answer.ask(services, Selection.parse("?sample=999999"), None, "auto")
    assert words(shown.face) == "There is no picture 999999 in this split."
    assert shown.state is None


def test_an_unknown_run_leaves_the_answer_to_the_default_and_says_so(services):
    shown = answer.ask(services, Selection.parse("?run=nowhere&sample=1"), None, "auto")
    assert shown.about.startswith("toy, ")


def state_of(services, row: int = 0):
    return answer.ask(services, Selection.parse(f"?sample={row}"), None, "auto").state


def plain_text(tree) -> str:
    """All text in html components and what `plain.element` made."""
    if isinstance(tree, dict):
        return plain_text(tree["props"].get("children"))
    if isinstance(tree, list | tuple):
        return "".join(plain_text(part) for part in tree)
    return tree if isinstance(tree, str) else "" if tree is None else plain_text(getattr(tree, "children", None))


def test_every_plausible_preparation_is_a_tile_that_can_be_chosen(every_step, services):
    kept = picture.keep(url(png(photo())), "bar.png")
    question = request.read(services, Selection(), kept, "auto", None, None)
    words, tiles, link = variants.drawn(services, question)
    assert [row[0] for row in table_in(link)] == [
        "way",
        *(v.name for v in services.predictor.agreement("toy", question.image).variants),
    ]
    agreement = services.predictor.agreement("toy", question.image, **question.options)
    assert len(tiles) == agreement.n >= 5
    assert f"{agreement.n} ways lead to {question.run.classes[agreement.variants[0].predicted]}" in words
    assert [tile["props"]["aria-current"] for tile in tiles] == ["true"] + ["false"] * (agreement.n - 1)
    for tile, one in zip(tiles, agreement.variants, strict=True):
        assert question.run.classes[one.predicted] in plain_text(tile)
        assert one.title in plain_text(tile)
        there = Selection(way=tile["props"]["data-way"])
        shown = answer.ask(services, there, kept, "auto")
        assert shown.text.confidence[0] == f"{100 * one.probabilities.max():.1f}"
        np.testing.assert_array_equal(answer.seen(shown.state)[1], one.prepared.image)
        again = request.read(services, there, kept, "auto", None, None)
        current = [t["props"]["aria-current"] for t in variants.drawn(services, again)[1]]
        assert current.index("true") == [v.name for v in agreement.variants].index(one.name)


def test_an_unknown_way_is_the_usual_one(services):
    kept = picture.keep(url(png(photo())), "bar.png")
    there = Selection(way="inside-out")
    assert answer.ask(services, there, kept, "auto").state == answer.ask(services, Selection(), kept, "auto").state
    question = request.read(services, there, kept, "auto", None, None)
    assert variants.drawn(services, question)[1][0]["props"]["aria-current"] == "true"
    assert variants.drawn(services, None) == (None, [], None)


def table_in(link) -> list[list[str]]:
    """The rows of a CSV that its own address holds."""
    text = base64.b64decode(link.href.removeprefix("data:text/csv;base64,")).decode()
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ([[0.9, 0.1]], "There is one plausible way only, and it leads to tall."),
        ([[0.9, 0.1], [0.6, 0.4]], "All 2 ways lead to tall. At most 30.0 % of the probability moves."),
        (
            [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]],
            "1 of 3 ways lead to tall, the others to wide (2). At most 60.0 % of the probability moves.",
        ),
    ],
)
def test_agreement_in_words(probabilities, words):
    agreement = Agreement(tuple(Variant("a", "b", None, np.array(one)) for one in probabilities))
    assert variants.summary(agreement, ["tall", "wide"]) == words


def test_other_runs_answer_the_same_picture(services, home):
    shutil.copytree(home / "runs" / "toy", home / "runs" / "twin")
    rename(home / "runs" / "twin", "twin")
    shutil.copytree(home / "runs" / "toy", home / "runs" / "torn")
    rename(home / "runs" / "torn", "torn")
    (home / "runs" / "torn" / "weights.safetensors").write_bytes(b"")
    selection = Selection(run="twin", level=99, sample=3)
    question = request.read(services, selection, None, "auto", None, None)
    words, table, link = other_runs.drawn(services, selection, question)
    recorded = services.store.open("toy").predictions("test")
    label = question.run.classes[recorded.predicted[3]]
    assert words == f"All 2 say {label}."
    assert [row[:2] for row in table_in(link)] == [["run", "label"], ["twin", label], ["toy", label]]
    rows = {row.children[0].children.children: row for row in table.children[1].children if len(row.children) == 4}
    assert list(rows) == ["twin", "toy"], "the shown one first"
    here = rows["toy"].children[0].children
    assert getattr(here, "data-run") == "toy"
    probabilities = recorded.probabilities[3]
    assert plain_text(rows["toy"].children[1]) == f" {label}"
    assert plain_text(rows["toy"].children[2]) == f"{100 * probabilities.max():.1f} %"
    members = prediction_sets.members(question.run, probabilities, 99)
    assert plain_text(rows["toy"].children[3]) == prediction_sets.worded([question.run.classes[i] for i in members])
    assert other_runs.drawn(services, selection, None) == (None, None, None)


def rename(folder, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"run_id": name}))


def test_a_run_without_sets_names_the_command_and_answers(services, home):
    forget(home, "conformal", "calibration")
    shown = answer.ask(services, Selection(sample=3, scaling="temperature"), None, "auto")
    assert shown.text.label
    assert "python -m ml evaluate toy --only conformal" in plain_text(shown.text.set)
    assert "Calibrated" not in plain_text(shown.text.top)
    recorded = services.store.open("toy").predictions("test").confidence[3]
    assert shown.text.confidence[0] == f"{100 * recorded:.1f}", "as trained where nothing can be scaled"
    question = request.read(services, Selection(sample=3), None, "auto", None, None)
    assert "--only conformal" in plain_text(other_runs.drawn(services, Selection(sample=3), question)[1])


def forget(home, *nouns: str) -> None:
    """A run that was never asked for these nouns."""
    file = home / "runs" / "toy" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["nouns"] = {noun: about for noun, about in manifest["nouns"].items() if noun not in nouns}
    file.write_text(json.dumps(manifest))


def test_the_answer_can_be_told_calibrated_with_a_set_of_each_level(services, run):
    probabilities = run.predictions("test").probabilities[3]
    scaled = prediction_sets.scaled(run, probabilities[None])[0]
    state = state_of(services, 3)
    for level in LEVELS:
        text = answer.text_of_state(services, Selection(scaling="temperature", level=level), state)
        assert text.confidence[0] == f"{100 * scaled.max():.1f}"
        row = run.conformal().query("split == 'test' and abs(level - @level / 100) < 1e-9").iloc[0]
        chosen = [run.classes[i] for i in np.argsort(-probabilities, kind="stable") if 1 - scaled[i] <= row["most"]]
        words = plain_text(text.set)
        assert f"{level} % set: {prediction_sets.worded(chosen)}" in words
        assert f"{row['covered']:,} of {row['n']:,}" in words
        assert f"{row['size']:.2f} classes each" in words
    rows = table_in(answer.text_of_state(services, Selection(), state).csv)
    assert rows[0] == ["class", "as_trained", "calibrated", "in_set_90", "in_set_95", "in_set_99", "run", "data"]
    assert [row[0] for row in rows[1:]] == [run.classes[i] for i in np.argsort(-probabilities, kind="stable")]
    np.testing.assert_allclose([float(row[2]) for row in rows[1:]], np.sort(scaled)[::-1], atol=1e-4)
    pressed = [
        [button["props"]["aria-pressed"] for button in way.children[1].children]
        for way in answer.text_of_state(services, Selection(level=99), state).choices
    ]
    assert pressed == [["true", "false"], ["false", "false", "true"]]


def test_under_the_threshold_there_is_no_answer(services, run):
    recorded = run.predictions("test")
    row = int(recorded.confidence.argmin())
    sure = float(recorded.confidence[row])
    threshold = np.ceil(100 * sure) / 100 + 0.01
    state = state_of(services, int(recorded.ids[row]))
    text = answer.text_of_state(services, Selection(abstain=threshold), state)
    assert text.label == answer_text.ABSTAINED
    assert f"{100 * sure:.1f} % is under your threshold of {100 * threshold:.0f} %" in plain_text(text.set)
    assert "not answered" in words(text.truth)
    assert answer.text_of_state(services, Selection(abstain=0.01), state).label == run.classes[recorded.predicted[row]]


def test_the_veil_belongs_to_the_answer(services):
    state = state_of(services)
    seen, heatmap_overlay, note = saliency.overlay(services, state, "grad-cam")
    assert seen.src.startswith("data:image/png")
    assert heatmap_overlay.src.startswith("data:image/png")
    assert "Lit" in note or "Nothing" in note
    _, other, _ = saliency.overlay(services, state, "occlusion")
    assert other.src != heatmap_overlay.src
    assert saliency.overlay(services, state, "none")[1] is None
    assert saliency.overlay(services, state, ["forged"])[1] is None


@pytest.mark.parametrize("image", [None, "", 5, "data:image/png;base64,AAAA", ["x"]])
def test_a_callback_without_a_picture_is_refused_in_words(app, caplog, image):
    """Whatever the browser sends back in place of one: a sentence where the panel stands, and nothing in the log."""
    client = fired_in_process(app)
    state = {"prediction-answer-state.data": {"run": "toy", "image": image, "truth": 1}}
    outputs = (
        ("prediction-neighbours-summary.children", "prediction-neighbours-face", "prediction-answer-state.data"),
        ("prediction-saliency-picture.children", "prediction-saliency-picture", "prediction-answer-state.data"),
    )
    for output, face, changed in outputs:
        status, made = client.fire_with(output, changed, {**state, "prediction-saliency-method.value": "grad-cam"})
        assert status == 200
        assert "icture" in json.dumps(made[face]["children"])
        assert "Error" not in json.dumps(made[face]["children"])
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


def test_an_error_nobody_foresaw_ends_the_wait_with_a_way_on(services, monkeypatch, caplog, app):
    """What says 'Asking the network' is what the answer takes away: it comes whatever happens."""
    predictor = type(services.predictor)
    for problem, words in (
        (RuntimeError("cannot allocate a thing"), answer.NO_ANSWER),
        (Crowded("256 pictures wait already"), "256 pictures wait already"),
        (OSError(errno.ENOSPC, "no space"), disk.NOW),
    ):
        caplog.clear()
        monkeypatch.setattr(predictor, "predict", Mock(side_effect=problem))
        status, made = fired_in_process(app).fire_with(
            "prediction-more.hidden", "prediction-address-asked.data", {"url.search": "?sample=0"}
        )
        face = json.dumps(made["prediction-answer-face"]["children"])
        assert status == 200
        assert words in face
        assert "Try again" in face
        assert "cannot allocate" not in face
        assert made["prediction-more"]["hidden"]
        logged = [one for one in caplog.records if one.levelname == "ERROR"]
        assert len(logged) == (type(problem) is RuntimeError)
        assert not logged or re.search(r"Error (\w{8}) in", face)[1] in logged[0].getMessage()


def test_neighbours_and_meter_agree_with_the_tables(services, run):
    state = state_of(services, 3)
    tiles, summary = familiarity.neighbours(services, familiarity.look(services, state))
    recorded = run.neighbours("test", 3)
    assert len(tiles) == len(recorded)
    assert f"{recorded['distance'].iloc[0]:.2f}" in words(tiles[0])
    labels = run.pictures("reference").labels
    ids = [run.pictures("reference").row(int(i)) for i in recorded["neighbour_id"]]
    alike = sum(labels[ids] == run.predictions("test").predicted[3])
    assert summary.startswith(f"{alike} of {len(tiles)} are labelled")
    ood = familiarity.look(services, state).familiarity
    assert f"{ood.percentile:.0f} % of {ood.n:,} validation images" in words(evidence.meter(ood))


def test_three_ways_for_two_classes_and_a_chosen_layer(services, run):
    state = state_of(services, 3)
    outputs = explained.drawn(services, state, "auto")
    quick, slow = outputs[:2], [one for maps in outputs[-1]["maps"].values() for one in maps]
    assert all(source.startswith("data:image/png") for source in (*quick, *slow))
    assert len({*quick, *slow}) == 6
    assert outputs[-1]["later"] == [], "nobody waits for these"
    targets = explanations.targets(run.predictions("test").probabilities[3], run.classes, state["truth"])
    assert outputs[2] == f"Grad-CAM for {targets[0].name}"
    assert outputs[5] == f"Grad-CAM for {targets[1].name}"
    early = explained.drawn(services, state, "body.0")
    assert early[-2] == "body.0"
    assert early[0] != outputs[0]
    assert early[-1] == outputs[-1], "a layer is Grad-CAM's alone"
    assert explained.drawn(services, {**state, "truth": 10**9}, ["forged"])[-2] == "auto"


def test_of_a_photograph_the_slow_maps_come_by_themselves_and_are_the_same(services, monkeypatch):
    state = state_of(services, 3)
    whole = explained.drawn(services, state, "auto")[-1]
    monkeypatch.setattr(explained, "photograph", lambda image: True)
    first = explained.drawn(services, state, "auto")
    assert all(source.startswith("data:image/png") for source in first[:2])
    assert first[-1] == {"of": whole["of"], "maps": {}, "later": ["integrated", "occlusion"]}
    for way in explained.SLOW:
        assert explained.drawn_later(services, state, "", way) == {"of": whole["of"], "maps": whole["maps"][way]}
    another = explained.drawn_later(services, state_of(services, 4), "", "occlusion")
    assert another["of"] != whole["of"], "so that it is not shown over this picture"


def test_the_walk_follows_the_picture_as_the_network_sees_it(services):
    state = state_of(services, 3)
    walked = layers.subject(services, state)
    assert walked.run.run_id == "toy"
    np.testing.assert_array_equal(walked.image, answer.seen(state)[1].reshape(28, 28, 1))


def test_evidence_of_an_upload_names_its_twin_and_the_runner_up(services, run):
    pictures = run.pictures("reference")
    brighter = np.clip(pictures.images[7].astype(int) + 6, 0, 255).astype(np.uint8)
    given = answer.ask(services, Selection(), picture.keep(url(png(brighter)), ""), "auto").state
    sentences = words(familiarity.second(services, familiarity.look(services, given)))
    assert f"training image {pictures.ids[7]} (distance 0.0" in sentences
    assert "Nearest of the runner-up" in sentences


def test_the_badge_tells_usual_from_unusual(services):
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    strange = answer.ask(services, Selection(), picture.keep(url(png(noise)), ""), "auto").state
    assert (
        words(evidence.verdict(familiarity.look(services, strange).familiarity))
        == "Unlike the training data (out of distribution)"
    )
    badges = [
        words(evidence.verdict(familiarity.look(services, state_of(services, row)).familiarity)) for row in range(5)
    ]
    assert badges.count("Looks like the training data") >= 4


def test_the_strip_pages_by_class_and_number(services, run):
    tiles, where, number, first, last = samples.strip(services, Selection(), samples.ALL, None)
    assert len(tiles) == samples.TILES_PER_PAGE
    assert where == "1 to 24 of 400"
    assert first
    assert not last
    pictures = run.pictures("test")
    of_one = pictures.ids[pictures.labels == 1]
    tiles, where, _, _, _ = samples.strip(services, Selection(), "1", None)
    assert where == f"1 to 24 of {len(of_one)}"
    assert getattr(tiles[0], "data-search") == f"?sample={of_one[0]}"
    _, where, number, first, last = samples.strip(services, Selection(), samples.ALL, 0, samples.TILES_PER_PAGE)
    assert (where, number, first) == ("25 to 48 of 400", 24, False)
    tiles, _, _, _, last = samples.strip(services, Selection.parse("?sample=399"), samples.ALL, 399)
    assert last
    assert getattr(tiles[-1], "aria-current") == "true"


@pytest.mark.parametrize("number", [None, -5, 10**12, 3.7, "seven", [1]])
@pytest.mark.parametrize("chosen", ["all", "99", "²", None, {}])
def test_the_strip_survives_forged_values(services, number, chosen):
    tiles, *_ = samples.strip(services, Selection(), chosen, number)
    assert 0 < len(tiles) <= samples.TILES_PER_PAGE


def test_the_layout_never_asks_the_network(services, monkeypatch):
    monkeypatch.setattr(Networks, "open", lambda *_: pytest.fail("the network was asked"))
    page = prediction.PAGE.layout(services, Selection())
    text = str(page)
    for name in ("prediction-upload", "prediction-label", "prediction-confidence", "prediction-error"):
        assert name in text
    assert prediction.PAGE.layout(services, Selection(run="nowhere")) is not None


# in the browser

FILE = "#prediction-upload input[type=file]"


@pytest.fixture
def studio(every_step, page, live_server, idle):
    page.goto(f"{live_server}/prediction")
    page.wait_for_selector("#prediction-upload")
    page.wait_for_function(idle)
    yield page
    page.wait_for_function(idle)  # what is still asked when a test ends would meet no server
    page.wait_for_load_state("networkidle")


def give(page, content: bytes, name: str = "a.png") -> None:
    page.set_input_files(FILE, {"name": name, "mimeType": "image/png", "buffer": content})


@pytest.mark.browser
def test_uploading_a_test_picture_shows_label_confidence_and_bars(studio, run, idle):
    from playwright.sync_api import expect

    recorded, pictures = run.predictions("test"), run.pictures("test")
    for row in (0, 1, 1):  # the same file twice is answered twice
        give(studio, png(pictures.images[row]))
        expect(studio.locator("#prediction-label")).to_have_text(run.classes[recorded.predicted[row]])
        expect(studio.locator("#prediction-confidence")).to_have_text(f"{100 * recorded.confidence[row]:.1f} %")
    studio.wait_for_selector("#prediction-probabilities-graph .bars .point")
    studio.wait_for_function(idle)
    names = studio.locator(
        "#prediction-probabilities-graph .yaxislayer-above text, #prediction-probabilities-graph .ytick text"
    )
    assert names.first.text_content() == run.classes[recorded.predicted[1]]
    assert studio.locator("#prediction-saliency-overlay img").count() == 1
    assert studio.locator("#prediction-neighbours-grid li").count() == 10
    assert studio.locator("#prediction-error").inner_text() == ""
    studio.locator("#prediction-explained-card").scroll_into_view_if_needed()
    expect(studio.locator("#prediction-explained-map-1-occlusion")).to_have_attribute("src", re.compile("^data:image"))
    studio.locator("#prediction-layers-open").click()
    expect(studio.locator("#prediction-layers-sum .walk-parts .total")).to_be_visible()


@pytest.mark.browser
def test_the_maps_of_a_photograph_come_one_way_after_another(studio, run, idle, monkeypatch):
    from playwright.sync_api import expect

    monkeypatch.setattr(explained, "photograph", lambda image: True)
    asked = []
    studio.on("request", lambda one: asked.append(one.post_data or "") if "_dash-update" in one.url else None)
    maps = studio.locator("#prediction-explained-grid img")
    seen = []
    for row in (0, 1):
        give(studio, png(run.pictures("test").images[row]))
        studio.locator("#prediction-explained-card").scroll_into_view_if_needed()
        for place in range(6):
            expect(maps.nth(place)).to_have_attribute("src", re.compile("^data:image"))
        studio.wait_for_function(idle)
        seen.append([maps.nth(place).get_attribute("src") for place in range(6)])
    assert not set(seen[0]) & set(seen[1])
    later = [one for one in asked if "prediction-explained-later-occlusion.data" in one]
    assert len(later) == 2
    studio.select_option("#prediction-explained-layer", "body.0")
    expect(maps.first).not_to_have_attribute("src", seen[1][0])
    studio.wait_for_function(idle)
    assert [maps.nth(place).get_attribute("src") for place in (1, 2, 4, 5)] == [seen[1][i] for i in (1, 2, 4, 5)]
    assert len([one for one in asked if "prediction-explained-later-occlusion.data" in one]) == 2, (
        "a layer is Grad-CAM's"
    )


@pytest.mark.browser
def test_switching_a_step_off_changes_the_prepared_picture(studio, idle):
    give(studio, png(photo()), "bar.png")
    studio.wait_for_selector("#prediction-preparation-contrast-picture img")
    studio.wait_for_function(idle)
    last = studio.locator("#prediction-preparation-contrast-picture img")
    before = last.get_attribute("src")
    studio.uncheck("#prediction-preparation-polarity")
    studio.wait_for_function(
        "old => document.querySelector('#prediction-preparation-contrast-picture img').src !== old", arg=before
    )
    assert studio.locator("#prediction-preparation-polarity-note").inner_text() == "left out"
    studio.click("#prediction-preparation-reset")
    studio.wait_for_function(
        "old => document.querySelector('#prediction-preparation-contrast-picture img').src === old", arg=before
    )


@pytest.mark.browser
def test_a_photo_is_turned_and_cut_by_hand_and_prepared_differently(studio, idle):
    from playwright.sync_api import expect

    give(studio, png(photo()), "bar.png")
    note, first = studio.locator("#prediction-preparation-hand-note"), "#prediction-preparation-hand-picture img"
    expect(note).to_have_text("nothing asked for")
    studio.click("#prediction-hand summary")
    stage = studio.locator("#prediction-hand-stage")
    stage.scroll_into_view_if_needed()
    frame = stage.bounding_box()
    assert frame["width"] / frame["height"] == pytest.approx(1.5, abs=0.02)
    studio.mouse.move(frame["x"] + 0.2 * frame["width"], frame["y"] + 0.1 * frame["height"])
    studio.mouse.down()
    studio.mouse.move(frame["x"] + 0.6 * frame["width"], frame["y"] + 0.9 * frame["height"], steps=4)
    studio.mouse.up()
    expect(note).to_have_text("cut")
    edges = [studio.input_value(f"#prediction-hand-{name}") for name in ("left", "top", "right", "bottom")]
    assert [float(edge) for edge in edges] == pytest.approx([20, 10, 60, 90], abs=1)
    assert studio.evaluate(SIZE, first) == [120, 160]
    studio.fill("#prediction-hand-right", "100")  # the same by keyboard
    studio.press("#prediction-hand-right", "Tab")
    studio.wait_for_function("picture => document.querySelector(picture).naturalWidth === 240", arg=first)
    studio.click("#prediction-hand button >> nth=0")
    expect(note).to_have_text("turned by 90° and cut")
    assert stage.bounding_box()["width"] < stage.bounding_box()["height"]
    studio.uncheck("#prediction-preparation-contrast")
    expect(studio.locator("#prediction-preparation-contrast-note")).to_have_text("left out")
    expect(note).to_have_text("turned by 90° and cut")
    studio.wait_for_function(idle)
    studio.click("#prediction-preparation-reset")
    expect(note).to_have_text("nothing asked for")
    expect(studio.locator("#prediction-preparation-contrast")).to_be_checked()
    # prepared differently
    studio.locator("#prediction-variants-card").scroll_into_view_if_needed()
    tiles = studio.locator("#prediction-variants-tiles button")
    expect(tiles.first).to_have_attribute("aria-current", "true")
    studio.wait_for_function(idle)  # those of before the reset are there until then
    assert tiles.count() >= 5
    confidence = tiles.nth(3).locator("b").inner_text()
    tiles.nth(3).click()
    expect(tiles.nth(3)).to_have_attribute("aria-current", "true")
    expect(studio.locator("#prediction-confidence")).to_have_text(confidence)
    studio.locator("#prediction-others-card").scroll_into_view_if_needed()
    expect(studio.locator("#prediction-others-table tbody tr")).to_have_count(1)
    # a threshold by keyboard, and the level of the set, are steps of the history
    studio.focus("#prediction-abstain-slider")
    studio.keyboard.press("End")
    expect(studio.locator("#prediction-abstain-said")).to_have_text("99 %")
    studio.wait_for_url(re.compile("abstain=0.99"))
    studio.click("#prediction-told >> text='90 %'")
    expect(studio.locator("#prediction-set")).to_contain_text("90 % set")
    assert "way=" in studio.url
    # another picture begins as it is
    give(studio, png(255 - photo()), "other.png")
    expect(studio.locator("#prediction-picture-caption")).to_contain_text("other.png")
    expect(note).to_have_text("nothing asked for")


SIZE = """picture => [document.querySelector(picture).naturalWidth, document.querySelector(picture).naturalHeight]"""


@pytest.mark.browser
def test_large_photographs_are_made_small_before_they_travel(studio):
    from playwright.sync_api import expect

    corners = np.zeros((4, 4, 3), np.uint8)
    corners[0, 0], corners[0, 3], corners[3, 0], corners[3, 3] = (
        (250, 10, 10),
        (10, 250, 10),
        (10, 10, 250),
        (240, 240, 240),
    )
    large = Image.fromarray(corners).resize((1600, 1200), Image.Resampling.NEAREST)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[uploads.ORIENTATION] = orientation
        exif[0x010F] = "the camera's maker"
        file = io.BytesIO()
        large.save(file, "JPEG", quality=95, exif=exif)
        sent = travelled(studio, file.getvalue(), f"{orientation}.jpg")
        assert len(sent) < 60_000
        assert b"maker" not in sent
        mine, theirs = uploads.decode(file.getvalue()), uploads.decode(sent)
        assert theirs.orientation == orientation
        assert theirs.pixels.shape == mine.pixels.shape
        assert np.abs(theirs.pixels.astype(int) - mine.pixels).mean() < 3
        expect(studio.locator("#prediction-picture-caption")).to_contain_text("1600", use_inner_text=True)
    glass = Image.new("RGBA", (900, 300), (200, 30, 30, 0))
    glass.paste((200, 30, 30, 255), (300, 100, 600, 200))
    file = io.BytesIO()
    glass.save(file, "PNG")
    pixels = uploads.decode(travelled(studio, file.getvalue(), "glass.png")).pixels
    assert pixels.shape == (256, 768, 3)
    np.testing.assert_array_equal(pixels[5, 5], [255, 255, 255])
    tiny = png(photo())
    assert travelled(studio, tiny, "tiny.png") == tiny, "what is small already travels byte for byte"
    expect(studio.locator("#prediction-picture-caption")).to_have_text("tiny.png · 300 × 200")


def travelled(page, content: bytes, name: str) -> bytes:
    """What the browser sends of a file."""
    with page.expect_request(
        lambda request: '"property":"contents","value":"data:' in (request.post_data or "")
    ) as sent:
        give(page, content, name)
    body = json.loads(sent.value.post_data)
    contents = next(one["value"] for one in body["inputs"] if one["property"] == "contents")
    return uploads.from_data_url(contents)


@pytest.mark.browser
def test_refusals_are_shown_and_the_next_picture_is_answered(studio, run):
    from playwright.sync_api import expect

    error = studio.locator("#prediction-error")
    give(studio, b"not a picture", "notes.txt")
    expect(error).to_contain_text("not a picture")
    expect(error).to_contain_text("PNG, JPEG, JPEG 2000, WebP, GIF, BMP, TIFF, AVIF, HEIC and PNM")
    expect(studio.locator("#prediction-label")).to_have_text("")
    give(studio, b"", "empty.png")
    expect(error).to_contain_text("is empty")
    give(studio, bytes(uploads.PAGE_BYTES + 1), "huge.png")
    expect(error).to_contain_text("12.0 MB")
    give(studio, png(run.pictures("test").images[0]))
    expect(studio.locator("#prediction-label")).not_to_have_text("")
    expect(error).to_have_text("")
    # a large one takes its time to be made small: no words of the last one meanwhile
    studio.evaluate(
        """() => {
            const real = window.createImageBitmap, held = new Promise((done) => { window.release = done; });
            window.createImageBitmap = async (...all) => { await held; return real(...all); };
        }"""
    )
    file = io.BytesIO()
    Image.fromarray(photo()).resize((1600, 1200)).save(file, "PNG")
    give(studio, file.getvalue(), "large.png")
    expect(studio.locator("#prediction-picture-caption")).to_have_text("Making large.png small …")
    expect(studio.locator("#prediction-label")).to_have_text("")
    studio.evaluate("() => window.release()")
    expect(studio.locator("#prediction-label")).not_to_have_text("")
    expect(studio.locator("#prediction-picture-caption")).to_contain_text("1600")


@pytest.mark.browser
def test_pasting_and_dropping_beside_the_field_upload_too(studio, run):
    from playwright.sync_api import expect

    recorded, pictures = run.predictions("test"), run.pictures("test")
    rows = [int(np.flatnonzero(recorded.predicted == c)[0]) for c in np.unique(recorded.predicted)[:2]]
    for row, event in zip(rows, ("paste", "drop"), strict=True):
        studio.evaluate(
            """([kind, text]) => {
                const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
                const parcel = new DataTransfer();
                parcel.items.add(new File([bytes], 'clip.png', {type: 'image/png'}));
                const event = kind === 'paste'
                    ? new ClipboardEvent('paste', {clipboardData: parcel, bubbles: true, cancelable: true})
                    : new DragEvent('drop', {dataTransfer: parcel, bubbles: true, cancelable: true});
                document.querySelector('h1').dispatchEvent(event);
            }""",
            [event, base64.b64encode(png(pictures.images[row])).decode()],
        )
        expect(studio.locator("#prediction-label")).to_have_text(run.classes[recorded.predicted[row]])


@pytest.mark.browser
def test_a_sample_is_a_permalink(page, live_server, run, idle):
    from playwright.sync_api import expect

    recorded = run.predictions("test")
    late: list = []  # on a slow device the script of the upload's field comes after the answer
    page.route("**/*async-upload*", lambda route: late.append(route))
    page.goto(f"{live_server}/prediction?sample=7", wait_until="commit")
    expect(page.locator("#prediction-label")).to_have_text(run.classes[recorded.predicted[7]])
    for route in late:
        route.continue_()
    expect(page.locator("#prediction-picture-preview img")).to_be_visible()
    assert not page.locator("#sample-drawer.open").count(), "the page is the drawer"
    page.click("#prediction-samples-toggle")
    page.locator("#prediction-samples-grid button").nth(2).click()
    page.wait_for_url(re.compile(r"sample=2$"))
    expect(page.locator("#prediction-truth")).to_contain_text(run.classes[recorded.labels[2]])
    page.click("#prediction-samples-random")
    page.wait_for_url(lambda address: "sample=2" not in address.split("&")[0][-8:] and "sample=" in address)
    page.go_back()
    expect(page.locator("#prediction-truth")).to_contain_text(run.classes[recorded.labels[2]])
    page.wait_for_function(idle)


@pytest.mark.browser
def test_the_page_is_accessible_and_fits_a_phone(page, live_server, idle):
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("/prediction", "/prediction?sample=3"):
        page.goto(live_server + address)
        page.wait_for_selector("#prediction-upload")
        page.wait_for_timeout(300)
        page.wait_for_function(idle)
        for theme in both_themes(page, idle):
            assert violations(page, SERIOUS) == [], theme
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, theme


def whole_state(**more):
    src = uploads.thumbnail(np.zeros((200, 300, 3), np.uint8))
    return {"whole": {"src": src, "size": [200, 300], "place": [[2.0, 0, 50], [0, 2.0, 0]], **more}}


def test_an_answer_keeps_the_picture_as_it_was_sent(services):
    assert state_of(services, 3)["whole"] is None, "the network saw all of it"
    kept = picture.keep(url(png(photo())), "bar.png")
    state = answer.ask(services, Selection.parse(""), kept, "auto").state
    whole = answer_state.whole_of(state)
    made = services.predictor.predict(None, uploads.decode(uploads.from_data_url(kept["src"])).pixels).prepared
    np.testing.assert_allclose(whole.place, made.place, atol=1e-5)
    assert [whole.height, whole.width] == list(made.steps[0].image.shape[:2])
    seen = explained.drawn(services, state, "auto")
    over = explained.drawn(services, state, "auto", "sent")
    assert (seen[-5], seen[-4], over[-5], over[-4]) == ("seen", False, "sent", False)
    assert over[-7]["--picture"] == f"url({whole.src})"
    assert over[-7]["--ratio"] == f"{whole.width} / {whole.height}"
    assert "As you sent it" in over[-6]
    assert "As the network sees it" in seen[-6]
    assert uploads.decode(uploads.from_data_url(over[0])).pixels.shape[:2] != (28, 28)
    assert explained.drawn(services, state_of(services, 3), "auto", "sent")[-4] is True, "there is nothing to choose"


def test_the_picture_as_it_was_sent_comes_back_from_the_browser_and_is_not_believed():
    state = whole_state()
    whole = answer_state.whole_of(state)
    assert (whole.height, whole.width) == (200, 300)
    assert whole.veil(np.ones((100, 100), np.float32)).shape == (200, 300, 4)
    assert answer_state.over_whole(state, np.zeros((224, 224, 3), np.uint8)) is not None
    assert answer_state.over_whole(state, np.zeros((28, 28, 1), np.uint8)) is None
    for forged in (
        {"src": "data:image/svg+xml;base64,AAAA"}, {"src": "https://example.com/1.png"},
        {"src": 'data:image/png;base64,")'},
        {"size": [0, 300]}, {"size": [200]}, {"size": [200.0, 300]}, {"size": [10**9, 1]}, {"place": "everywhere"},
        {"place": [[1, 0, 0]]}, {"place": [[1, 0, 0], [0, 1]]}, {"place": [[1, 0, 0], [0, float("nan"), 0]]},
        {"place": [[1, 1, 0], [1, 1, 0]]}, {"place": [[1, 0, 0], [0, "1", 0]]},
    ):  # fmt: skip
        assert answer_state.whole_of(whole_state(**forged)) is None, forged
    assert answer_state.whole_of({"whole": "x"}) is answer_state.whole_of(None) is None


def test_a_photograph_has_its_veil_over_the_picture_as_it_was_sent(services, monkeypatch):
    state = {**state_of(services, 3), **whole_state()}
    monkeypatch.setattr(answer_state, "photograph", lambda image: True)
    shown, veil, note = saliency.overlay(services, state, "grad-cam")
    assert shown.src == state["whole"]["src"]
    assert uploads.decode(uploads.from_data_url(veil.src)).pixels.shape[:2] == (200, 300)
    assert note.endswith("Dark: what the network did not see.")
    assert saliency.overlay(services, state, "none")[0].src != shown.src, "the picture as the network reads it"
