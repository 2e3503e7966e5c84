"""What is worked out of pictures alone is worked out once, is the same then, and anew once anything is another."""

import os
from pathlib import Path

import numpy as np
import pytest

from ml import pipeline
from ml.artifacts.reader import Library
from ml.evaluation import kept as keeping
from ml.evaluation import looks, photographs, preparation
from ml.evaluation.kept import drawn, kept
from ml.images.form import Form
from ml.training.config import TrainConfig


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_CACHE", str(tmp_path / "made"))
    return tmp_path / "made"


def counted(*given, what="numbers"):
    """How often it is made of what is given, and what it is."""
    asked = []

    def make():
        asked.append(1)
        return np.arange(6, dtype=np.float32).reshape(2, 3)

    return kept(what, given, make), len(asked)


def test_the_same_is_made_once():
    first, made = counted(np.arange(4), Form(28, 28, 1))
    again, then = counted(np.arange(4), Form(28, 28, 1))
    assert (made, then) == (1, 0)
    assert again.dtype == first.dtype
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize(
    "given",
    [
        (np.arange(4).astype(np.int32), Form(28, 28, 1)), (np.arange(4)[::-1], Form(28, 28, 1)),
        (np.arange(4).reshape(2, 2), Form(28, 28, 1)), (np.arange(4), Form(28, 28, 3)),
        (np.arange(4), Form(28, 28, 1, 0)), (np.arange(4), Form(28, 28, 1, steps=frozenset({"clear"}))),
        (Form(28, 28, 1), np.arange(4)), (np.arange(4), Form(28, 28, 1), b""), (np.arange(4), Form(28, 28, 1), None),
    ],
)  # fmt: skip
def test_what_is_given_otherwise_is_made_anew(given):
    counted(np.arange(4), Form(28, 28, 1))
    assert counted(*given)[1] == 1


def test_another_thing_and_another_code_are_made_anew(monkeypatch):
    counted(1)
    assert counted(1, what="others")[1] == 1
    monkeypatch.setattr(keeping, "_code", lambda: "another")
    assert counted(1)[1] == 1


def test_steps_in_another_order_are_the_same():
    names = ["clear", "upright", "straighten", "cut", "centre"]
    first = Form(28, 28, 1, steps=frozenset(names))
    digests = {keeping._digest("x", (first, Form(28, 28, 1, steps=frozenset(names[::-1]))), None) for _ in range(2)}
    assert len(digests) == 1


def test_chance_goes_on_as_if_it_had_been_drawn():
    ends = []
    for _ in range(2):
        rng = np.random.default_rng(3)
        rng.random()
        made = drawn("chance", (1,), rng, lambda rng=rng: rng.random(5))
        ends.append((made.tolist(), rng.random(3).tolist()))
    plain = np.random.default_rng(3).random(9)
    assert ends[0] == ends[1] == (plain[1:6].tolist(), plain[6:].tolist())
    other = np.random.default_rng(4)
    assert drawn("chance", (1,), other, lambda: other.random(5)).tolist() != ends[0][0]


def test_what_cannot_be_read_or_kept_is_made_again(folder, monkeypatch):
    counted(1)
    (file,) = folder.iterdir()
    for content in (b"", b"no archive", file.read_bytes()[:80]):
        file.write_bytes(content)
        assert counted(1)[1] == 1
    assert counted(1)[1] == 0
    monkeypatch.setenv("FASHION_CACHE", str(file / "below"))  # a file: no folder can be made there
    assert [counted(1)[1] for _ in range(2)] == [1, 1]
    monkeypatch.setenv("FASHION_CACHE", str(folder))
    monkeypatch.setattr(keeping, "MOST", 8)
    assert [counted(2)[1] for _ in range(2)] == [1, 1]


def test_whatever_bit_of_a_file_is_another_the_same_is_given(folder):
    """zlib, zipfile, numpy and the tokenizer it reads heads with each raise kinds of their own."""
    picture = np.random.default_rng(0).integers(0, 50, (6, 9, 9, 1), dtype=np.uint8)
    kept("spoiled", (1,), lambda: picture)
    (file,) = folder.iterdir()
    whole, chance = file.read_bytes(), np.random.default_rng(0)
    for place in chance.integers(0, 8 * len(whole), 300):
        spoiled = bytearray(whole)
        spoiled[place // 8] ^= 1 << place % 8
        file.write_bytes(spoiled)
        assert np.array_equal(kept("spoiled", (1,), lambda: picture), picture), place


def test_the_longest_unused_goes_first(folder, monkeypatch):
    ages: dict[Path, int] = {}
    for number in range(3):
        counted(number)
        ages |= {one: number + 1 for one in folder.iterdir() if one not in ages}
    for one, age in ages.items():
        os.utime(one, (age, age))
    counted(0)  # used just now
    monkeypatch.setattr(keeping, "ROOM", 2.5 * max(one.stat().st_size for one in folder.iterdir()))
    counted(3)
    assert len([*folder.iterdir()]) == 2
    assert [counted(number)[1] for number in (0, 3)] == [0, 0]
    assert counted(1)[1] == 1


def test_a_second_training_on_the_same_pictures_makes_none_of_them_again(tmp_path, monkeypatch):
    """And says the same of itself to the last digit."""
    made = []
    for module, name in (
        (looks, "looks"), (looks, "printed"), (preparation, "rendered"), (preparation, "prepare"),
    ):  # fmt: skip
        original = getattr(module, name)

        def heard(*given, name=name, original=original, **how):
            made.append(name)
            return original(*given, **how)

        monkeypatch.setattr(module, name, heard)
    config = TrainConfig(
        model="compact_cnn", dataset="synthetic-4-28x28x1", epochs=2, batch_size=64, augment=(), threads=1
    )
    counts = []
    for run_id in ("first", "second"):
        pipeline.train(config, run_id=run_id, home=tmp_path)
        counts.append({name: made.count(name) for name in sorted({*made})})
        made.clear()
    assert set(counts[0]) == {"looks", "prepare", "printed", "rendered"}
    assert counts[1] == {}
    library = Library(tmp_path / "none", tmp_path)
    first, second = (library.open(run_id) for run_id in ("first", "second"))
    assert first.table("preparation").equals(second.table("preparation"))
    one, other = first.arrays("looks"), second.arrays("looks")
    assert {*one} == {*other}
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert photographs.rendered is not preparation.rendered, "which was listened to"
