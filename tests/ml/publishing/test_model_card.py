"""The model card: numbers by hand, words that follow the run, and text from outside that stays text."""

import json
import re

import pytest

from dashboard.data.store import Store
from ml.artifacts.reader import Library
from ml.publishing import model_card
from ml.system.paths import ARTIFACTS, ROOT


@pytest.fixture
def run(home, tmp_path):
    return Library(tmp_path, home).open("toy")


def changed(home, tmp_path, change):
    path = home / "runs" / "toy" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return Library(tmp_path, home).open("toy")


def test_shares_carry_their_interval_and_n():
    # Wilson for 8 of 10, by hand: centre (0.8 + 0.19207) / 1.38415 = 0.71674, half width 0.22659
    assert model_card.share(8, 10) == "80.00 % (95 % interval 49.02 to 94.33, 8 of 10)"


@pytest.mark.parametrize("run_id", ["mlp", "small_resnet"])
def test_the_card_has_the_interval_of_the_page(run_id):
    """Of every split: these were drawn once for the scores and once, otherwise, for the calibration."""
    store = Store(ARTIFACTS, ARTIFACTS)
    text = model_card.markdown(Library(ARTIFACTS, ARTIFACTS).open(run_id))
    for split in ("test", "validation", "reference"):
        scored = store.open(run_id).scores(split)
        ece = scored[scored["class"].isna() & (scored["metric"] == "calibration_error")].iloc[0]
        drawn = store.open(run_id).calibration().query(f"split == '{split}' and scaling == 'none'")
        drawn = drawn[drawn["metric"] == "calibration_error"].iloc[0]
        assert (ece.low, ece.high) == (drawn.low, drawn.high)
        assert f"{100 * ece.value:.2f} ({100 * ece.low:.2f} – {100 * ece.high:.2f})" in text


def test_the_card_of_a_run_says_what_its_files_say(run):
    text = model_card.markdown(run, title="My net", note="Line one\nline *two*", tags=("a", "b_c"))
    result, frame = run.manifest["results"]["test"], run.table("predictions").query("split == 'test'")
    assert text.startswith("# My net\n")
    assert "Tags: a, b_c" in text
    assert "> Line one\n> line \\*two\\*" in text
    assert f"**{model_card.share(result['correct'], result['n'])}** right" in text
    wrong = frame[frame["label"] != frame["predicted"]].groupby(["label", "predicted"]).size()
    names = run.manifest["dataset"]["classes"]
    for pair in re.findall(r"- (.+) guessed (.+): ([\d,]+) of", text):
        assert wrong[names.index(pair[0]), names.index(pair[1])] == int(pair[2].replace(",", ""))
    assert text.count(" guessed ") == min(model_card.CONFUSED, len(wrong))
    for name in names:
        n = int((frame["label"] == names.index(name)).sum())
        right = int(((frame["label"] == names.index(name)) & (frame["predicted"] == names.index(name))).sum())
        assert re.search(rf"\| {name} \| {100 * right / n:.2f} \([\d.]+ – [\d.]+\) \| {n} \|", text)
    assert "Domain shift" in text
    assert "called unlike the training pictures" in text
    assert run.manifest["weights"]["sha256"] in text


def test_the_recipe_follows_the_config(home, tmp_path):
    config = {
        "epochs": 3, "batch_size": 64, "learning_rate": 0.5, "optimiser": "sgd", "schedule": "cosine", "seed": 9,
        "weight_decay": 0.1, "augment": ["flip", "erase"], "label_smoothing": 0.1, "ema": 0.99, "dropout": 0.2,
        "batch_norm": False,
    }  # fmt: skip
    text = model_card.markdown(changed(home, tmp_path, lambda m: m.update(config=config)))
    for words in (
        "3 epochs in batches of 64 with SGD with Nesterov momentum, learning rate 0.5, cosine schedule",
        "weight decay 0.1, seed 9",
        "mirrored left to right, with a random rectangle blacked out at random",
        "label smoothing 0.1, weights averaged with decay 0.99, dropout 0.2, no batch normalisation",
    ):
        assert words in text
    looks = "the mean of two, of the picture and its mirror image"
    assert looks not in text
    mirrored = changed(home, tmp_path, lambda m: m["model_config"].update(mirrored=True))
    assert looks in model_card.markdown(mirrored), "what the network does, whatever the recipe says"


def test_what_a_run_lacks_is_left_out(home, tmp_path):
    def strip(manifest):
        for noun in ("scores", "neighbours"):
            del manifest["nouns"][noun]
        for key in ("latency_ms", "bytes", "git", "command"):
            manifest.pop(key, None)
        manifest["dataset"]["complete"] = False

    text = model_card.markdown(changed(home, tmp_path, strip))
    assert "| – | – |" in text
    assert "familiarity" not in text
    assert " ms for one image" not in text
    assert "weaker than its recipe can be" in text


def test_text_from_outside_stays_text(home, tmp_path):
    def poison(manifest):
        manifest["dataset"]["title"] = "[x](javascript:alert) <img src=http://a.b/c>"
        manifest["dataset"]["classes"][0] = "a | b"
        manifest["command"] = "`</code><script>`"
        manifest["machine"]["processor"] = "![i](http://a.b/c)"

    text = model_card.markdown(changed(home, tmp_path, poison), title="# <b>", note="---\n1. x")
    assert "\\[x\\](javascript:alert) \\<img src=http:\\//a.b/c\\>" in text
    assert "| a \\| b |" in text
    assert "!\\[" not in text.replace("\\!\\[", "")
    assert "`'</code><script>'`" in text
    assert text.startswith("# \\# \\<b\\>")
    assert "> \\---\n> 1\\. x" in text


def test_a_card_speaks_of_its_own_data_set(run):
    text = model_card.markdown(run)
    assert "only ever seen the pictures of Synthetic bars." in text
    assert not re.search("cloth|garment|worn|fashion", text, re.IGNORECASE)


def test_a_shipped_runs_card_is_frozen():
    run = Library(ARTIFACTS, ARTIFACTS / "nothing").open("small_resnet")
    assert model_card.markdown(run) == (ROOT / "tests" / "golden" / "card.md").read_text()


def test_every_shipped_run_has_a_card():
    library = Library(ARTIFACTS, ARTIFACTS / "nothing")
    for entry in library.runs():
        text = model_card.markdown(library.open(entry.run_id))
        assert len(text) > 2_500
        if entry.manifest["dataset"]["name"] == "fashion-mnist":
            assert "clothing from a shop's catalogue" in text
        else:
            assert "commit `11961516512414bf9f6c150a832cfd21b54a6b54`, licence CC0-1.0" in text
            assert "Few images in test: " in text
            assert "divided by the temperature" in text


def test_groups_that_err_more_are_named_with_their_intervals():
    text = model_card.markdown(Library(ARTIFACTS, ARTIFACTS).open("small_resnet"))
    part = text[text.index("## Errs more than elsewhere") : text.index("## Size")]
    slices = Library(ARTIFACTS, ARTIFACTS).open("small_resnet").table("slices").query("split == 'test'")
    worst = slices[slices["lift_low"] > 1].sort_values("lift", ascending=False)
    assert part.count("\n- ") == min(len(worst), 5) == 5
    first = worst.iloc[0]
    assert f"- {model_card.plain(first['name'])}: {first['wrong']:,} of {first['n']:,} wrong" in part
