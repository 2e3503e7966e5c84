"""Networks that are right but for what was said of them: the way in which they are right is found, and they alone."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.data import load
from ml.data.base import Dataset
from ml.importing import doctor, mistakes, search, understanding, verdict
from ml.importing.trial import Tried
from ml.inference.imported import Interface, session_of
from tests import own_networks
from tests.conftest import TOY
from tests.toy_networks import Toy, dataset, interface, trained

IMAGENET = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}


@pytest.fixture(scope="module")
def toys() -> dict[str, Toy]:
    colour, gray = dataset(24, 16, "red", "blue"), dataset(16, 16, "gray")
    mean, deviation = map(tuple, gray.statistics())
    framed = interface(colour, height=16, width=16, frame="letterbox", **IMAGENET)
    return {
        "colour": trained("colour", colour, framed),
        "rows": trained("rows", colour, interface(colour, layout="flat-chw", mean=(0.5,), deviation=(0.5,))),
        "gray": trained("gray", gray, interface(gray, mean=mean, deviation=deviation, frame="crop", share=0.875)),
    }


def examined(toy: Toy, stated: Interface, **more: Any) -> dict[str, Any]:
    session, split, shape = more.pop("session", None) or toy.session, toy.data["validation"], toy.data.shape
    layouts = [way.fields for way in understanding.ways(session, shape, understanding.Wishes(), {})]
    fields = [{name: one[name] for name in ("layout", "height", "width", "channels")} for one in layouts]
    possible = mistakes.possible(stated, shape, toy.data.statistics(), fields)
    found = search.search(session, stated, possible, split.images, split.labels, **more)
    assert found is not None
    table = verdict.table(found, stated, toy.data.classes, "validation")
    assert json.loads(json.dumps(table)) == table
    return table


def planted(toy: Toy) -> dict[str, dict[str, Any]]:
    """Name → fields of Interface that are said wrongly of this network, each of one factor."""
    how, data = toy.how, toy.data
    mean, deviation = map(tuple, data.statistics())
    scalings = {
        "0-255": {"mean": (0.0,), "deviation": (1 / 255,)},
        "0-1": {"mean": (0.0,), "deviation": (1.0,)},
        "-1-1": {"mean": (0.5,), "deviation": (0.5,)},
        "imagenet": IMAGENET if how.channels == 3 else {"mean": (0.449,), "deviation": (0.226,)},
        "own": {"mean": mean, "deviation": deviation},
    }
    usual = {"mean": how.mean, "deviation": how.deviation}
    order = tuple(map(int, np.random.default_rng(3).permutation(len(data.classes))))
    crop = {"frame": "crop", "share": 0.95 if how.frame == "crop" else 0.875}
    found: dict[str, dict[str, Any]] = {
        **({"bgr": {"bgr": True}} if how.channels == 3 else {}),
        **{f"pixels {name}": one for name, one in scalings.items() if one != usual},
        "inverted": {"inverted": True},
        "transposed": {"transposed": True},
        "crop": crop,
        **({"stretch": {"frame": "stretch", "resampling": "nearest"}} if how.frame != "stretch" else {}),
        **({"flat": {"layout": "flat"}} if how.layout == "flat-chw" else {}),
        "order": {"order": order},
    }
    return found


def undone(row: Mapping[str, Any], stated: Interface, right: Interface) -> bool:
    """Whether the row asks as is right, and changes nothing else."""
    how = stated.model_copy(update=row["fields"])
    close = all(
        np.allclose(getattr(how, name), getattr(right, name), rtol=1e-3, atol=1e-6) for name in ("mean", "deviation")
    )
    names = ("bgr", "frame", "share", "inverted", "transposed", "layout", "numbers")
    same = all(getattr(how, name) == getattr(right, name) for name in names)
    return close and same and tuple(how.order) == tuple(right.order)


def check(toy: Toy, wrong: Mapping[str, Any], session: Any) -> dict[str, Any]:
    """The right one is first, or named as not to be told apart from it."""
    stated = toy.how.model_copy(update=dict(wrong))
    table = examined(toy, stated, session=session)
    right = [row for row in table["rows"] if undone(row, stated, toy.how)]
    assert right, verdict.lines(table)
    assert right[0]["first"] or not right[0]["apart"], verdict.lines(table)
    return table


@pytest.mark.parametrize("name", ["colour", "rows", "gray"])
def test_each_mistake_is_found_alone_and_a_right_network_is_left_alone(toys, name):
    toy, session = toys[name], toys[name].session
    table = check(toy, {}, session)
    assert table["advice"] is None, table["sentence"]
    wrong = planted(toy)
    advised = 0
    for fields in wrong.values():
        table = check(toy, fields, session)
        stated = table["rows"][table["stated"]]
        if table["advice"] is not None:
            row = table["rows"][table["advice"]["row"]]
            advised += 1
            assert row["low"] > stated["high"]
            assert row["accuracy"] > 0.9
    assert advised >= len(wrong) / 2


PAIRS = 8  # of each network in this suite; all of them take minutes


@pytest.mark.parametrize("name", ["colour", "rows", "gray"])
def test_mistakes_are_found_in_pairs(toys, name):
    toy, session, wrong = toys[name], toys[name].session, planted(toys[name])
    factor = {"stretch": "crop", **{one: "pixels" for one in wrong if one.startswith("pixels")}}
    pairs = [pair for pair in itertools.combinations(wrong, 2) if factor.get(pair[0], 0) != factor.get(pair[1], 1)]
    pairs = [pair for pair in pairs if {*pair} != {"crop", "stretch"}]
    for place in np.random.default_rng(len(name)).permutation(len(pairs))[:PAIRS]:
        first, second = pairs[place]
        check(toy, {**wrong[first], **wrong[second]}, session)


def with_softmax(toy: Toy, times: int) -> Any:
    """A session on the network with softmax behind it, once or twice."""
    model = onnx.load_model_from_string(toy.graph)
    for i in range(times):
        name = model.graph.output[0].name
        model.graph.node.append(helper.make_node("Softmax", [name], [f"p{i}"], axis=1))
        model.graph.output[0].name = f"p{i}"
    return session_of(model.SerializeToString())


def test_softmax_twice_is_told_by_the_loss(toys):
    """Said of a network that has it inside, and where the network itself takes it twice; the classes stay the same."""
    toy = toys["gray"]
    once, twice = with_softmax(toy, 1), with_softmax(toy, 2)
    for session, output, numbers, right in (
        (once, "p0", "logits", "probabilities"),
        (twice, "p1", "probabilities", "doubled"),
    ):
        stated = toy.how.model_copy(update={"numbers": numbers, "output": output})
        table = examined(toy, stated, session=session)
        rows = [table["rows"][place] for place in (table["stated"], table["advice"]["row"])]
        assert rows[0]["correct"] == rows[1]["correct"]
        assert rows[1]["loss"] < rows[0]["loss"] / 2
        assert rows[1]["fields"] == {"numbers": right}
        assert rows[0]["apart"] == "loss"
        # with another mistake beside it
        table = examined(toy, stated.model_copy(update={"inverted": True}), session=session)
        assert table["advice"]["interface"]["numbers"] == right
        assert not table["advice"]["interface"]["inverted"]
        assert table["rows"][0]["fields"]["numbers"] == right
        # and as it is right, it stays
        well = stated.model_copy(update={"numbers": right})
        assert examined(toy, well, session=session)["advice"] is None


def test_a_network_that_is_weak_or_was_never_trained_is_left_alone():
    colour, gray = dataset(24, 16, "red", "blue"), dataset(16, 16, "gray")
    two = Dataset(
        "two", "Two", gray.classes[:2], {k: one.take(np.flatnonzero(one.labels < 2)) for k, one in gray.splits.items()}
    )
    cases = [
        (data, epochs, seed, fields)
        for seed, epochs in ((0, 0), (1, 1), (3, 1))
        for data, fields in (
            (colour, {"layout": "flat-chw"}), (gray, {}), (two, {}), (two, {"deviation": (1 / 255,)}),
        )
    ]  # fmt: skip
    for data, epochs, seed, fields in cases:
        toy = trained("weak", data, interface(data, **fields), epochs=epochs, seed=seed)
        table = examined(toy, toy.how)
        assert table["advice"] is None, verdict.lines(table)


def some_classes(data: Dataset, *kept: int) -> Dataset:
    splits = {}
    for name, split in data.splits.items():
        mine = split.take(np.flatnonzero(np.isin(split.labels, kept)))
        splits[name] = replace(mine, labels=np.searchsorted(kept, mine.labels))
    return Dataset("some", "Some", tuple(data.classes[i] for i in kept), splits)


def test_a_network_of_two_classes_whose_cut_alone_is_elsewhere_is_left_alone():
    """Trained for one epoch it says one class of everything, and tells them apart all the same: pixels to 255 put its
    cut right by luck, in every picture."""
    data = some_classes(dataset(16, 16, "red", "blue"), 0, 1)
    for seed, epochs, fields in ((2, 1, {"mean": (0.5,), "deviation": (0.5,)}), (5, 1, {}), (7, 0, {})):
        toy = trained("weak", data, interface(data, **fields), epochs=epochs, seed=seed)
        table = examined(toy, toy.how)
        assert table["advice"] is None, verdict.lines(table)


@pytest.mark.parametrize("kept", [(0, 1), (0, 1, 2)])
def test_mistakes_are_found_of_few_classes_too(kept):
    """What no cut makes right: rows as columns of shapes that lie or stand."""
    data = some_classes(dataset(16, 16, "gray"), *kept)
    toy = trained("few", data, interface(data))
    assert examined(toy, toy.how)["advice"] is None
    table = examined(toy, toy.how.model_copy(update={"transposed": True}))
    row = table["rows"][table["advice"]["row"]]
    assert undone(row, toy.how.model_copy(update={"transposed": True}), toy.how) or row["accuracy"] > 0.95
    assert row["low"] >= 0.9


def test_time_is_kept_and_what_was_left_is_said(toys):
    """A clock that says of each asking that it took long."""
    toy = toys["rows"]
    times = itertools.count()

    def clock() -> float:
        return next(times) * 0.5

    table = examined(toy, toy.how.model_copy(update={"bgr": True}), seconds=30.0, clock=clock)
    assert any("pairs of mistakes: there was no time" in one for one in table["not_tried"])
    assert table["n"] >= search.LEAST
    assert table["advice"]["words"] in ("RGB", "classes in another order")


def test_what_cannot_be_tried_is_said(toys):
    toy = toys["gray"]
    said = "\n".join(examined(toy, toy.how)["not_tried"])
    assert "order of colours: the pictures are gray" in said
    few = np.concatenate([np.flatnonzero(toy.data["validation"].labels == label)[:9] for label in range(4)])
    data = replace(toy.data, splits={**toy.data.splits, "validation": toy.data["validation"].take(few)})
    table = examined(replace(toy, data=data), toy.how)
    said = "\n".join(table["not_tried"])
    assert "order of the classes: it needs 10 pictures of each, and there are 9 of one" in said
    assert not any(change["factor"] == "classes" for row in table["rows"] for change in row["changes"])


def test_the_process_of_its_own_gives_the_same_table(toys, tmp_path):
    toy = toys["rows"]
    (tmp_path / "network.onnx").write_bytes(toy.graph)
    stated = toy.how.model_copy(update={"inverted": True})
    tried = Tried(stated, [], 0, [], tmp_path / "network.onnx")
    table = doctor.examined(tried, toy.data, tmp_path)
    assert table["rows"][table["advice"]["row"]]["fields"] == {"inverted": False}
    assert doctor.taken(tried, table).interface == toy.how
    assert table["sentence"].startswith("as stated ")
    said = verdict.lines(table)
    assert said[-1] == table["sentence"]
    noted = doctor.noted(table, advised=True)
    assert (noted["taken"], noted["advised"]["words"], noted["split"]) == ("advice", "black as black", "validation")
    gain = table["rows"][table["advice"]["row"]]["correct"] - noted["stated"]["correct"]
    assert noted["advised"]["gain"] == pytest.approx(gain / noted["n"])
    assert doctor.noted(table, advised=False)["taken"] == "as stated"
    none = replace(toy.data, splits={**toy.data.splits, "validation": toy.data["validation"].take(np.arange(5))})
    table = doctor.examined(tried, none, tmp_path)
    assert (table["rows"], table["advice"]) == ([], None)
    assert "it needs 20 pictures of validation" in table["sentence"]
    assert doctor.taken(tried, table) is tried
    assert verdict.lines(table) == [table["sentence"]]
    (tmp_path / "network.onnx").write_bytes(b"none")
    assert doctor.examined(tried, toy.data, tmp_path)["sentence"].startswith("no table: ")


def test_wishes_of_the_advice_lead_to_its_interface(toys):
    """What a page hands on is the same as what the command line takes."""
    toy = toys["rows"]
    order = (3, 2, 1, 0, *range(4, 8))
    stated = toy.how.model_copy(update={"order": order, "inverted": True})
    advice = examined(toy, stated)["advice"]
    wishes = understanding.Wishes(**{k: tuple(v) if isinstance(v, list) else v for k, v in advice["wishes"].items()})
    way = understanding.ways(toy.session, toy.data.shape, wishes, {})[0]
    named = understanding.called((), (), 8, toy.data.classes, wishes)
    how = way.interface(8, output=wishes.output, numbers=wishes.numbers, order=named.order)
    right = Interface.model_validate(advice["interface"])
    assert np.allclose(how.mean, right.mean)
    assert how.model_copy(update={"mean": right.mean, "deviation": right.deviation}) == right


def test_the_command_line_prints_the_table_and_takes_what_a_person_says(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path))
    data = load(TOY)
    file = own_networks.network(data, tmp_path / "net.onnx")
    flags = ["runs", "add", "NAME", "--data", TOY, "--network", str(file), "--inverted", "--json"]

    def added(name: str, *more: str) -> tuple[dict[str, Any], str, dict[str, Any]]:
        assert main([name if one == "NAME" else one for one in [*flags, *more]]) == 0
        captured = capsys.readouterr()
        manifest = Library(tmp_path / "none", tmp_path).open(name).manifest
        return json.loads(captured.out.splitlines()[-1]), captured.err, manifest

    said, words, manifest = added("plain")
    table = said["doctor"]
    assert table["rows"][table["advice"]["row"]]["fields"] == {"inverted": False}
    assert table["sentence"] in words
    assert "to take it: --doctor" in words
    assert "* as stated" in words
    assert "> black as black" in words
    assert manifest["interface"]["inverted"]
    assert (manifest["doctor"]["taken"], manifest["doctor"]["advised"]["words"]) == ("as stated", "black as black")
    said, words, manifest = added("advised", "--doctor")
    assert not manifest["interface"]["inverted"]
    assert said["validation_accuracy"] > 0.9
    assert manifest["doctor"]["taken"] == "advice"
    assert manifest["doctor"]["advised"]["gain"] > 0.3
    assert "asked with black as black, as the doctor advises" in manifest["source"]["understood"]
    said, words, manifest = added("quick", "--as-stated")
    assert said["doctor"] is None
    assert "doctor" not in manifest
    assert manifest["interface"]["inverted"]
    with pytest.raises(SystemExit):
        main([*flags, "--doctor", "--as-stated"])
