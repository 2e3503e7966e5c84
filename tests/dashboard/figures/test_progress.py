"""The curves of a training under way: what is drawn, what is named, what stays on the chart."""

import json
from itertools import pairwise

import pytest

from dashboard.figures.history import LABEL
from dashboard.figures.progress import EARLY, MEASURES, Training, curves, rate_words, schedule
from dashboard.theme import palette

HISTORY = {
    "epoch": [1, 2, 3],
    "train_loss": [0.6, 0.4, 0.3],
    "validation_loss": [0.5, 0.35, 0.31],
    "train_accuracy": [0.78, 0.86, 0.9],
    "validation_accuracy": [0.8, 0.88, 0.91],
    "learning_rate": [0.1, 0.05, 0.0],
    "images_per_second": [2000.0, 2100.0, 1900.0],
}
STEP_HISTORY = {
    "epoch": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5],
    "loss": [0.9, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25],
    "accuracy": [0.7, 0.8, 0.82, 0.86, 0.88, 0.9, 0.92],
    "learning_rate": [0.05, 0.1, 0.08, 0.05, 0.02, 0.0, 0.0],
    "images_per_second": [1900.0, 2100.0, 2050.0, 2150.0, 1850.0, 1950.0, 2000.0],
}
MINE = Training("mine", HISTORY, STEP_HISTORY)
OLD = Training("older", HISTORY)


def lines(figure):
    """Traces by what a hover calls them."""
    return {trace["name"]: trace for trace in figure["data"] if "name" in trace}


def texts(figure):
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_loss_is_drawn_within_the_epochs_and_at_their_ends():
    figure = curves(MINE, measure="loss", mode="light", epochs=5)
    drawn = lines(figure)
    assert drawn["train loss"]["x"] == STEP_HISTORY["epoch"]
    assert drawn["train loss"]["y"] == STEP_HISTORY["loss"]
    assert drawn["validation loss"]["x"] == [1, 2, 3]
    assert drawn["validation loss"]["y"] == [0.5, 0.35, 0.31]
    assert drawn["validation loss"]["line"] == {"color": palette("light").accent, "width": 2.2}
    assert drawn["train loss"]["line"]["width"] < 2.2
    assert set(texts(figure)) == {"train 0.250", "val 0.310"}
    assert figure["layout"]["xaxis"]["range"] == [0, 5]


def test_accuracy_is_in_per_cent_with_its_band():
    ends = ([0.79, 0.87, 0.9], [0.81, 0.89, 0.92])
    figure = curves(MINE, measure="accuracy", mode="dark", interval=ends)
    band = figure["data"][0]
    assert (band["x"], band["y"]) == ([1, 2, 3, 3, 2, 1], [81, 89, 92, 90, 87, 79])
    assert lines(figure)["validation accuracy"]["y"] == [80, 88, 91]
    assert set(texts(figure)) == {"train 92.0", "val 91.0"}
    assert figure["layout"]["yaxis"]["range"][1] == pytest.approx(100, abs=0.2)


def test_without_steps_the_epochs_means_are_the_training_line():
    drawn = lines(curves(OLD, measure="loss", mode="light"))
    assert drawn["train loss"]["y"] == [0.6, 0.4, 0.3]
    assert drawn["train loss"]["line"]["dash"] == "4px,3px"


def test_epochs_over_before_anybody_looked_within_them_keep_their_place():
    # one look, at the end of the second of three epochs
    quick = {name: values[3:4] for name, values in STEP_HISTORY.items()}
    own = Training("mine", HISTORY, quick)
    drawn = lines(curves(own, measure="loss", mode="light"))
    assert (drawn["train loss"]["x"], drawn["train loss"]["y"]) == ([1, 2, 3], [0.6, 0.4, 0.3])
    assert "train 0.300" in texts(curves(own, measure="loss", mode="light"))
    rate = lines(curves(own, measure="rate", mode="light"))["learning rate"]
    assert (rate["x"], rate["y"]) == ([1, 2, 3], [0.1, 0.05, 0.0])


def test_the_rate_lies_over_what_was_planned():
    figure = curves(MINE, measure="rate", mode="light", planned=[(0, 0.0), (1, 0.2), (4, 0.0)])
    drawn = lines(figure)
    assert drawn["planned"]["y"] == [0.0, 0.2, 0.0]
    assert drawn["learning rate"]["y"] == STEP_HISTORY["learning_rate"]
    assert texts(figure) == ["0"]
    assert figure["layout"]["yaxis"]["range"][1] >= 0.2


def test_speed_is_thin_within_and_thick_at_the_ends():
    figure = curves(MINE, measure="speed", mode="light")
    drawn = lines(figure)
    assert drawn["images a second"]["line"]["width"] < drawn["images a second of the epoch"]["line"]["width"]
    assert texts(figure) == ["1,900"]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_three_others_at_most_each_with_its_name_colour_and_dash(measure, mode):
    others = [Training(name, HISTORY) for name in ("one", "two", "a_name_longer_than_there_is_room", "four")]
    figure = curves(MINE, others, measure=measure, mode=mode)
    names = [text for text in texts(figure) if not text[-1].isdigit()]
    assert sorted(names) == sorted(["one", "two", "a_name_longer_…"])
    drawn = [trace["line"] for name, trace in lines(figure).items() if "," in name]
    assert len({line["color"] for line in drawn}) == len({line["dash"] for line in drawn}) == 3
    assert not {line["color"] for line in drawn} & {*palette(mode).classes, palette(mode).accent}
    json.dumps(figure)


def test_the_names_of_its_own_lines_stand_behind_both():
    figure = curves(MINE, measure="loss", mode="light", epochs=5)
    assert [note["x"] for note in figure["layout"]["annotations"]] == [3.5, 3.5]


@pytest.mark.parametrize(
    ("rate", "words"), [(0.003, "0.003"), (8.41e-5, "0.000084"), (1e-9, "0"), (0.1, "0.1"), (2, "2")]
)
def test_rates_are_written_out(rate, words):
    assert rate_words(rate) == words


def test_the_training_in_front_says_how_far_the_axis_goes():
    long = Training("long", {name: [*values, 1, 1] for name, values in HISTORY.items()} | {"epoch": [1, 2, 3, 4, 5]})
    figure = curves(MINE, [long], measure="loss", mode="light", epochs=4)
    assert figure["layout"]["xaxis"]["range"] == [0, 4]
    assert lines(figure)["long, validation loss"]["x"] == [1, 2, 3, 4]
    alone = curves(Training(), [long], measure="loss", mode="light")
    assert alone["layout"]["xaxis"]["range"] == [0, 5]


def test_labels_never_cover_each_other():
    others = [Training(name, HISTORY) for name in ("one", "two", "three")]
    figure = curves(MINE, others, measure="accuracy", mode="light", height=200)
    low, high = figure["layout"]["yaxis"]["range"]
    at = sorted(note["y"] * (200 - 38) / (high - low) + note["yshift"] for note in figure["layout"]["annotations"])
    assert all(b - a >= LABEL - 0.6 for a, b in pairwise(at))


def test_one_step_and_no_epoch_is_a_point():
    first = Training("mine", {}, {name: values[:1] for name, values in STEP_HISTORY.items()})
    figure = curves(first, measure="loss", mode="light", epochs=1)
    assert figure["data"][0]["mode"] == "markers"
    assert texts(figure) == ["train 0.900"]
    assert figure["layout"]["xaxis"]["tickvals"] == [1]


@pytest.mark.parametrize("measure", MEASURES)
def test_before_anything_is_measured_there_is_a_sentence(measure):
    figure = curves(Training(), measure=measure, mode="light", epochs=3)
    assert texts(figure) == ["nothing measured yet"]
    assert figure["layout"]["yaxis"]["showticklabels"] is False


def test_the_wild_start_leaves_the_axis_to_the_rest():
    n = 100
    steps = {**{name: [1.0] * n for name in STEP_HISTORY}, "epoch": [4 * (i + 1) / n for i in range(n)]}
    steps["loss"] = [9.0 if at <= EARLY * 4 else 0.3 for at in steps["epoch"]]
    figure = curves(Training("mine", {}, steps), measure="loss", mode="light", epochs=4)
    assert figure["layout"]["yaxis"]["range"][1] < 1
    assert max(figure["data"][0]["y"]) == 9.0


def test_four_hundred_points_stay_small():
    steps = {**{name: [1 / 3] * 400 for name in STEP_HISTORY}, "epoch": [i / 7 for i in range(400)]}
    assert len(json.dumps(curves(Training("mine", {}, steps), measure="loss", mode="light"))) < 12_000


def test_a_schedule_is_a_small_line_with_its_peak():
    figure = schedule([(0, 0.0), (1, 0.25), (4, 0.0)], mode="light")
    assert figure["data"][0]["y"] == [0.0, 0.25, 0.0]
    assert [(note["x"], note["text"]) for note in figure["layout"]["annotations"]] == [(1, "0.25")]
    assert figure["layout"]["xaxis"]["ticktext"] == ["start", "epoch 4"]


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="loss, accuracy, rate, speed"):
        curves(MINE, measure="joy", mode="light")
