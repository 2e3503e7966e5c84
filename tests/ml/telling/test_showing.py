"""`show`: arrays of a notebook become a data set and a run, once, and a page of a server that is started once."""

import json
import os
import sys
import types
import urllib.request

import numpy as np
import pytest
from PIL import Image

import fashion_forward
from ml.artifacts.reader import Library
from ml.data import load
from ml.telling import pictures, server
from ml.telling.border import Wrong
from tests.telling import here

NAMES = ("cat", "dog")
LABELS = np.array([0, 1, 1, 0, 1, 0])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, whose runs are made within this process."""
    here(monkeypatch, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def no_server(monkeypatch):
    """Prefixes that a server was asked for; none is started."""
    asked = []

    def address(home, prefix=""):
        asked.append(prefix)
        return "http://127.0.0.1:8249", True

    monkeypatch.setattr(server, "address", address)
    return asked


def gray(n=6, side=8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side), np.uint8)


def colour(n=6, side=8) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, side, side, 3), np.uint8)


FORMS = {
    "bytes": (lambda: gray(), 1),
    "a last axis": (lambda: gray()[..., None], 1),
    "floats": (lambda: gray() / 255, 1),
    "floats of 0 to 255": (lambda: gray().astype(np.float32), 1),
    "colour": (lambda: colour(), 3),
    "channels first": (lambda: np.moveaxis(colour(), -1, 1), 3),
    "a list of arrays": (lambda: [*gray()], 1),
    "PIL": (lambda: [Image.fromarray(one) for one in colour()], 3),
    "PIL, gray": (lambda: [Image.fromarray(one) for one in gray()], 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_pictures_are_taken_in_any_form_pixel_for_pixel(form):
    make, channels = FORMS[form]
    made = pictures.dataset(make(), LABELS, NAMES)
    wanted = colour() if channels == 3 else gray()[..., None]
    np.testing.assert_array_equal(made["test"].images, wanted)
    assert made.classes == NAMES
    assert made["test"].labels.tolist() == LABELS.tolist()
    assert len(made["train"]) == len(made["validation"]) == 0


def test_tensors_truth_values_paths_and_transparency(tmp_path):
    import torch

    made = pictures.dataset(torch.from_numpy(colour()).permute(0, 3, 1, 2), LABELS, NAMES)
    np.testing.assert_array_equal(made["test"].images, colour())
    made = pictures.dataset(gray() > 127, LABELS, NAMES)
    assert {*np.unique(made["test"].images)} == {0, 255}
    for i, one in enumerate(gray()):
        Image.fromarray(one).save(tmp_path / f"{i}.png")
    made = pictures.dataset([tmp_path / f"{i}.png" for i in range(6)], [NAMES[i] for i in LABELS])
    np.testing.assert_array_equal(made["test"].images, gray()[..., None])
    assert (made.classes, made["test"].labels.tolist()) == (NAMES, LABELS.tolist())
    clear = np.zeros((6, 8, 8, 4), np.uint8)
    assert (pictures.dataset(clear, LABELS, NAMES)["test"].images == 255).all()  # laid on white, as files are


def test_several_sizes_become_the_commonest_and_colour_wins():
    mixed = [gray(1, 8)[0], gray(1, 8)[0], gray(1, 8)[0], gray(1, 16)[0], colour(1, 8)[0], gray(1, 4)[0]]
    made = pictures.dataset(mixed, LABELS, NAMES)
    assert made["test"].images.shape == (6, 8, 8, 3)
    np.testing.assert_array_equal(made["test"].images[4], colour(1, 8)[0])
    big = pictures.dataset(np.zeros((6, 600, 300), np.uint8), LABELS, NAMES)
    assert big["test"].images.shape == (6, 512, 256, 1)


REFUSED = {
    "standardised": (lambda: gray() / 64 - 2, LABELS, NAMES, "give them as they were before mean and deviation"),
    "sixteen bits": (lambda: gray().astype(np.int32) * 200, LABELS, NAMES, "needed are 0 to 255"),
    "not finite": (lambda: np.full((6, 8, 8), np.nan), LABELS, NAMES, "numbers that are none"),
    "five planes": (lambda: np.zeros((6, 5, 8, 8), np.uint8), LABELS, NAMES, "no side is 1, 3 or 4 channels"),
    "flat rows": (lambda: np.zeros((6, 64), np.uint8), LABELS, NAMES, "images have the shape (6, 64)"),
    "none": (list, [], NAMES, "there are no images"),
    "a folder": (lambda: "pictures/", LABELS, NAMES, "images must be an array"),
    "a path to nowhere": (lambda: ["nowhere.png"] * 6, LABELS, NAMES, "image 0: nowhere.png: No such file"),
    "fewer labels": (lambda: gray(), LABELS[:4], NAMES, "6 images and 4 labels"),
    "a label too high": (lambda: gray(), LABELS + 1, NAMES, "there is a label 2, and names has 2 classes"),
    "a label of no name": (lambda: gray(), ["cat"] * 5 + ["cow"], NAMES, "the label 'cow' is none of names"),
    "one class": (lambda: gray(), ["cat"] * 6, None, "there is one class alone, 'cat'"),
    "halves": (lambda: gray(), LABELS + 0.5, NAMES, "must be whole ones from 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_picture_or_label_is_refused_in_a_sentence(case):
    make, labels, names, words = REFUSED[case]
    with pytest.raises(Wrong, match=r"\w") as refusal:
        pictures.dataset(make(), labels, names)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_same_arrays_are_the_run_that_is_there(home, no_server):
    said = np.eye(2)[LABELS] * 0.8 + 0.1
    vectors = np.random.default_rng(0).normal(size=(6, 3))
    first = fashion_forward.show(gray(), LABELS, said, vectors, NAMES, name="My Net")
    again = fashion_forward.show(gray() / 255, LABELS, said.tolist(), vectors, list(NAMES), name="My Net")
    assert first == again
    assert first.run.startswith("my-net-")
    assert first.url == f"http://127.0.0.1:8249/?run={first.run}&split=test&outcome=right&outcome=wrong"
    run = Library(home / "none", home).open(first.run)
    assert run.manifest["results"]["test"]["correct"] == 6
    assert run.manifest["capabilities"] == ["probabilities", "features"]
    other = fashion_forward.show(gray(), LABELS, said[::-1], vectors, NAMES, name="My Net")
    assert (other.data, other.run == first.run) == (first.data, False)
    assert load(first.data, home=home)["test"].labels.tolist() == LABELS.tolist()
    assert len([*(home / "datasets").iterdir()]) == 1
    alone = fashion_forward.show(gray(), LABELS, names=NAMES)
    assert (alone.data, alone.run) == (first.data, "")
    assert alone.url.startswith("http://127.0.0.1:8249/data")
    with pytest.raises(ValueError, match="features are shown with what is predicted"):
        fashion_forward.show(gray(), LABELS, features=vectors, names=NAMES)
    with pytest.raises(ValueError, match="3 columns"):
        fashion_forward.show(gray(), LABELS, np.full((6, 3), 1 / 3), names=NAMES)


def test_a_notebook_shows_it_in_a_frame(home, no_server, monkeypatch):
    displayed = []
    stub = types.ModuleType("IPython.display")
    stub.display = displayed.append
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", stub)
    shown = fashion_forward.show(gray(), LABELS, LABELS, names=NAMES, display=True, height=300)
    assert displayed == [shown]
    text = shown._repr_html_()
    assert f'<iframe src="{shown.url.replace("&", "&amp;")}" width="100%" height="300"' in text


@pytest.mark.parametrize(
    ("proxy", "hub", "prefix"),
    [
        (None, "", ""),
        (True, "", "/proxy/absolute/{port}"),
        (None, "/user/ada/", "/user/ada/proxy/absolute/{port}"),
        (False, "/user/ada/", ""),
        ("/lab/proxy/absolute/{port}/", "", "/lab/proxy/absolute/{port}"),
    ],
)
def test_behind_a_proxy_the_frame_has_its_path(home, no_server, monkeypatch, proxy, hub, prefix):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", hub)
    shown = fashion_forward.show(gray(), LABELS, LABELS, names=NAMES, proxy=proxy)
    assert no_server == [prefix]
    assert shown.url.startswith(f"{prefix.format(port=8249) or 'http://127.0.0.1:8249'}/?run=")


def test_a_proxy_without_a_port_is_refused(home, no_server):
    with pytest.raises(ValueError, match=r"must be a path with \{port\} in it"):
        fashion_forward.show(gray(), LABELS, LABELS, names=NAMES, proxy="/proxy/8050")


def test_one_server_is_started_and_found_again_and_may_be_framed(home, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(home))
    shown = fashion_forward.show(gray(), LABELS, LABELS, names=NAMES)
    try:
        address, started = server.address(home)
        assert not started
        assert shown.url.startswith(f"{address}/?run=")
        with urllib.request.urlopen(f"{address}/", timeout=60) as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'self' http://localhost:* http://127.0.0.1:*" in policy
        with urllib.request.urlopen(f"{address}/api/v1/runs", timeout=60) as answer:
            assert shown.run in {one["run"] for one in json.load(answer)["runs"]}
        behind, started = server.address(home, "/proxy/absolute/{port}")
        assert started
        assert behind != address
        assert server.address(home) == (address, False)  # each notebook keeps its own
    finally:
        assert fashion_forward.stop_showing()
    assert not fashion_forward.stop_showing()
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(f"{address}/health", timeout=5)


def test_a_server_that_does_not_start_says_why(home, monkeypatch):
    monkeypatch.setattr(server, "SERVE", "raise SystemExit('no room for a server here')")
    with pytest.raises(server.NoServer, match="the server does not start: no room for a server here"):
        server.address(home)
    assert not [name for name in os.listdir(home) if name.endswith(".json")]
