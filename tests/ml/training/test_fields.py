"""What a form is told about each choice agrees with what pydantic lets through."""

import pytest
from pydantic import ValidationError

from ml.training.config import TrainConfig
from ml.training.fields import FIELDS

AMONG = {"model": "resnet18", "epochs": 200, "pretrained": True}  # among these no choice contradicts another


def accepted(name, value):
    try:
        TrainConfig(**{**AMONG, name: value})
    except ValidationError:
        return False
    return True


def test_every_choice_is_listed_with_a_sentence():
    assert list(FIELDS) == list(TrainConfig.model_fields)
    assert all(field.description for field in FIELDS.values())


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.low is not None])
def test_limits_are_the_ends_of_what_is_accepted(name):
    field = FIELDS[name]
    step = 1 if field.kind == "whole" else 1e-6
    assert accepted(name, field.low)
    assert accepted(name, field.high)
    assert not accepted(name, field.low - step)
    assert not accepted(name, field.high + step)
    assert accepted(name, None) == field.optional


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.choices])
def test_choices_are_all_there_are(name):
    field = FIELDS[name]
    several = field.kind == "several"
    assert all(accepted(name, [choice] if several else choice) for choice in field.choices)
    assert not accepted(name, ["something"] if several else "something")
    assert accepted(name, field.choices) == several


def test_switches_are_true_or_false():
    switches = [field.name for field in FIELDS.values() if field.kind == "switch"]
    assert "batch_norm" in switches
    assert all(accepted(name, True) and not accepted(name, "perhaps") for name in switches)
