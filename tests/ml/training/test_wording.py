"""Settings in words, and what differs between two."""

import pytest

from ml.training.config import TrainConfig
from ml.training.wording import HELP, LABELS, changes, label, recipe, span, text


def test_every_choice_and_nothing_else_has_a_name_and_a_sentence():
    assert set(LABELS) == set(HELP) == {*TrainConfig.model_fields, "name"}  # a form asks for the run's name too
    assert label("something_new") == "Something new"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("optimiser", "sgd", "SGD, Nesterov"),
        ("schedule", "one_cycle", "One cycle"),
        ("train_images", None, "all"),
        ("train_images", 55_000, "55,000"),
        ("seed", 1234567, "1234567"),
        ("learning_rate", 0.0005, "0.0005"),
        ("dropout", None, "the model's own"),
        ("dropout", 0.0, "off"),
        ("batch_norm", False, "off"),
        ("augment", ["flip", "shift"], "Flip, Shift"),
        ("augment", (), "none"),
        ("ema", 0, "off"),
        ("model", "constant", "constant"),
    ],
)
def test_values_read_as_people_write_them(name, value, words):
    assert text(name, value) == words


def test_limits_are_written_out():
    assert [span(1, 200), span(1e-5, 2.0), span(0.0, 0.9999), span(16, 2048)] == [
        "1 to 200", "0.00001 to 2", "0 to 0.9999", "16 to 2,048",
    ]  # fmt: skip


def test_only_what_differs_is_listed_in_the_forms_order():
    a = TrainConfig(seed=1, augment=("flip", "shift"), batch_norm=True, schedule="cosine").model_dump(mode="json")
    b = {**a, "seed": 2, "augment": ["shift", "flip"], "batch_norm": False, "learning_rate": 0.1}
    assert changes(a, b) == [
        ("Learning rate", "0.003", "0.1"),
        ("Batch normalisation", "on", "off"),
        ("Seed", "1", "2"),
    ]
    assert changes(a, a) == []


def test_what_an_older_program_did_not_write_down_is_not_made_up():
    a = TrainConfig().model_dump(mode="json")
    b = {name: value for name, value in a.items() if name != "schedule"}
    assert changes(a, b) == [("Schedule", "One cycle", "not recorded")]
    assert changes({"later": 1}, {"later": 2}) == [("Later", "1", "2")]


def test_one_is_no_plural_and_a_small_number_no_power_of_ten():
    assert recipe({"epochs": 1, "batch_size": 16, "seed": 7}).startswith("1 epoch in batches of 16")
    values = {0.00001: "0.00001", 0.003: "0.003", 2.0: "2", 0.1 + 0.2: "0.3"}
    assert {value: text("learning_rate", value) for value in values} == values
