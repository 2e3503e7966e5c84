"""Which run is asked: pure, on candidates made by hand; and what the looks of pictures tell."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ml.images.form import Form
from ml.images.looks import NAMES, looks
from ml.images.sheets import on_sheet
from ml.inference import routing
from ml.inference.prediction_sets import PredictionSets
from ml.inference.routing import FARTHEST, RARITY, Candidate, representatives, route
from ml.stats import likeness
from ml.stats.likeness import Likeness


def grey(n: int, seed: int) -> list[np.ndarray]:
    """Soft light spots on black, 28 × 28."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:28, 0:28] - 13.5
    return [
        np.clip(255 * np.exp(-(x**2 + y**2) / rng.uniform(20, 60)), 0, 255).astype(np.uint8)[..., None]
        for _ in range(n)
    ]


def coloured(n: int, seed: int) -> list[np.ndarray]:
    """Fine noise of many colours, 120 × 90."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (120, 90, 3)).astype(np.uint8) for _ in range(n)]


def candidate(name: str, form: Form, percentile: float, rare: float, pictures: list[np.ndarray] | None) -> Candidate:
    known = Likeness(likeness.learn([np.stack([looks(one) for one in pictures])])) if pictures else None
    return Candidate(
        name, name.title(), f"{name} pictures", ("one", name), form,
        lambda images: np.tile(np.float32([0.25, 0.75]), (len(images), 1)),
        lambda images: (np.full(len(images), percentile), np.full(len(images), rare)), known,
    )  # fmt: skip


SMALL, LARGE = Form(28, 28, 1, background=0), Form(64, 64, 3, fitting="crop")


def test_looks_are_finite_of_any_picture_and_tell_detail_from_size():
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 1), (3, 900, 3), (28, 28, 1), (2, 2, 3)):
        found = looks(rng.integers(0, 256, shape).astype(np.uint8))
        assert found.shape == (len(NAMES),)
        assert np.isfinite(found).all(), shape
    spot = grey(1, 0)[0]
    large = np.repeat(np.repeat(spot, 8, axis=0), 8, axis=1)
    fine = coloured(1, 0)[0]
    place = NAMES.index("detail_128")
    assert looks(large)[place] < looks(rng.integers(0, 256, large.shape).astype(np.uint8))[place]
    assert looks(fine)[NAMES.index("saturation")] > 0.3 > looks(spot)[NAMES.index("saturation")] == 0
    assert looks(spot)[NAMES.index("frame")] == 1


def test_kind_decides_where_neither_network_knows_the_picture():
    candidates = [candidate("spots", SMALL, 99.9, 12, grey(40, 1)), candidate("noise", LARGE, 99.9, 6, coloured(40, 1))]
    routed = route(grey(1, 5)[0], candidates)
    assert routed.first.run_id == "spots", "how far each is beyond what it knows tells nothing"
    assert routed.unlike
    assert "Neither run knows" in routed.why
    assert route(coloured(1, 5)[0], candidates).first.run_id == "noise"


def test_the_networks_decide_between_data_sets_of_one_kind():
    candidates = [candidate("a", SMALL, 99, 4.5, grey(40, 1)), candidate("b", SMALL, 40, 0.5, grey(40, 2))]
    routed = route(grey(1, 5)[0], candidates)
    assert routed.first.run_id == "b"
    assert "40 %" in routed.why
    told = routed.json_value()
    assert [one["run"] for one in told["asked"]] == ["b", "a"]
    assert told["asked"][0]["familiarity"] == {"percentile": 40, "unlike": False}
    assert told["asked"][1]["familiarity"]["unlike"] is True


def test_looks_count_only_where_every_run_has_them_and_one_run_needs_no_reason():
    candidates = [candidate("a", SMALL, 99, 4.5, grey(40, 1)), candidate("b", LARGE, 40, 0.5, None)]
    assert route(grey(1, 5)[0], candidates).first.run_id == "b"
    alone = route(grey(1, 5)[0], candidates[:1])
    assert (alone.why, alone.first.run_id, alone.first.claim) == ("", "a", -RARITY * FARTHEST)
    assert candidate("far", SMALL, 100, 80, None).likeness is None
    assert route(grey(1, 5)[0], [candidate("far", SMALL, 100, 80, None)]).first.claim == -RARITY * FARTHEST
    with pytest.raises(ValueError, match="no run to ask"):
        route(grey(1, 5)[0], [])


@dataclass
class Entry:
    run_id: str
    dataset: str
    right: int = 50
    nouns: tuple[str, ...] = ("familiarity",)
    ok: bool = True
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def manifest(self) -> dict[str, Any]:
        results = {"validation": {"correct": self.right, "n": 100}}
        return {"dataset": {"name": self.dataset}, "nouns": self.nouns, "results": results, **self.more}


def test_one_run_of_each_data_set_stands_for_it():
    runs = [
        Entry("shown", "mine", 10),
        Entry("better", "mine", 99),
        Entry("low", "theirs", 20),
        Entry("high", "theirs", 90),
        Entry("best", "theirs", 95, more={"kind": "recorded"}),
        Entry("old", "theirs", 99),
        Entry("twin", "theirs", 99, more={"twin": "high"}),
        Entry("broken", "third", ok=False),
        Entry("mute", "fourth", nouns=()),
    ]
    assert representatives(runs, "shown", without={"old"}) == ["shown", "high"]
    assert representatives(runs, "mute") == ["mute"], "one that cannot tell is asked alone, as before"
    assert representatives(runs, "best") == []
    assert representatives(runs, None) == []
    assert representatives([runs[0], runs[1]], "shown") == ["shown"], "of one data set nothing changes"
    many = [Entry(f"run{i}", f"set{i}", 50 + i) for i in range(9)]
    assert representatives(many, "run0") == ["run0", "run8", "run7", "run6"]


def test_an_auto_answer_of_a_file_names_its_run():
    candidates = [candidate("spots", SMALL, 20, 0.2, grey(40, 1)), candidate("noise", LARGE, 99, 5, coloured(40, 1))]
    import io

    from PIL import Image

    from ml.images.upload_archives import Item

    file = io.BytesIO()
    Image.fromarray(grey(1, 3)[0].squeeze()).save(file, "PNG")
    items = [Item("spots/a.png", file.getvalue(), ""), Item("b.txt", b"no picture", "")]
    sets = {"spots": PredictionSets(90, 1.0, 1.0)}
    lines = [one.line(3, sets.get) for one in routing.answers(items, candidates)]
    assert lines[0]["run"] == "spots"
    assert (lines[0]["true"], lines[0]["label"], len(lines[0]["top"])) == ("spots", "spots", 2)
    assert lines[0]["familiarity"] == {"percentile": 20, "unlike": False}
    assert lines[0]["set"]["level"] == 90
    assert sorted(lines[0]["set"]["labels"]) == sorted(candidates[0].classes), "every p is at most 1 away from 1"
    assert len(lines[0]["asked"]) == 2
    assert "not a picture" in lines[1]["error"]
    assert "run" not in lines[1]


def test_of_a_print_its_own_looks_count_not_those_of_the_table():
    spot = grey(1, 5)[0]
    large = np.repeat(np.repeat(spot, 8, axis=0), 8, axis=1)
    table = coloured(9, 3)[0].repeat(3, axis=0).repeat(4, axis=1)
    table[60 : 60 + 224, 70 : 70 + 224] = large
    enlarged = [np.repeat(np.repeat(one, 8, axis=0), 8, axis=1) for one in grey(40, 1)]
    candidates = [candidate("spots", SMALL, 50, 1, enlarged), candidate("noise", LARGE, 50, 1, coloured(40, 1))]
    assert route(table, candidates).first.run_id == "spots"
    for one in route(table, candidates).asked:
        known = next(each.likeness for each in candidates if each.run_id == one.run_id)
        assert known is not None
        assert (
            one.alike == known.log_density(looks(on_sheet(table))[None])[0] != known.log_density(looks(table)[None])[0]
        )


def test_a_photograph_that_its_camera_turned_is_searched_once(monkeypatch):
    from ml.images import sheets

    looked = []
    largest = sheets._largest
    monkeypatch.setattr(sheets, "_largest", lambda image: looked.append(image.shape) or largest(image))
    asked = [
        candidate("grey", SMALL, 50, 1, grey(9, 1)),
        candidate("coloured", LARGE, 50, 1, coloured(9, 1)),
    ]
    photo = coloured(1, 5)[0]
    routed = route(photo, asked, orientation=6)
    assert looked == [(90, 120, 3)], "upright, for the looks and for whoever prepares it"
    upright = route(np.rot90(photo, -1), asked)
    assert [one.claim for one in routed.asked] == [one.claim for one in upright.asked]
    assert len(looked) == 1
