"""One uploaded picture, every panel that asks about it at once: how often is the network asked?"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dashboard.data.store import Store
from dashboard.pages.prediction import answer, familiarity, saliency
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection
from ml.data import duplicates
from ml.inference.classifier import Classifier


@pytest.fixture
def services(home, no_artifacts):
    return Services(Store(no_artifacts, home), Jobs(home, artifacts=no_artifacts))


@pytest.fixture
def passes(monkeypatch):
    """Counts how often the first layer of a network, as trained or folded, sees pictures."""
    counted = []
    opened = Classifier.open.__func__

    def watched(cls, run):
        classifier = opened(cls, run)
        for module in (classifier.module, classifier.folded):
            next(module.body.children()).register_forward_hook(lambda *_: counted.append(1))
        return classifier

    monkeypatch.setattr(Classifier, "open", classmethod(watched))
    return counted


def ask_every_panel(services, image):
    """What the studio asks about an upload, in the order and at the same time as a browser does."""
    kept = {"src": uploads.data_url(uploads.Picture(image, 1, 0, 0))}
    shown = answer.ask(services, Selection(), kept, "auto")
    assert shown.state is not None
    panels = [
        lambda: answer.text_of_state(services, Selection(), shown.state),
        lambda: saliency.overlay(services, shown.state, "grad-cam"),
        lambda: familiarity.neighbours(services, familiarity.look(services, shown.state)),
        lambda: familiarity.second(services, familiarity.look(services, shown.state)),
        lambda: services.ood.unlike("toy", image),
    ]
    with ThreadPoolExecutor(len(panels)) as pool:
        for done in [pool.submit(panel) for panel in panels]:
            done.result()


def test_an_upload_is_answered_once_for_all_panels(services, passes):
    pictures = services.store.open("toy").pictures("test").images
    services.warm("toy").join()
    ask_every_panel(services, pictures[0])
    passes.clear()
    ask_every_panel(services, pictures[1])
    assert len(passes) <= 3  # the answer, what all layers say, Grad-CAM
    ask_every_panel(services, pictures[1])
    assert len(passes) <= 3


def test_near_duplicates_are_looked_for_in_vectors_made_once(services, monkeypatch):
    pictures = services.store.open("toy").pictures("test").images
    services.ood.near_duplicate("toy", pictures[0])
    vectors = []
    units = duplicates.units
    monkeypatch.setattr(duplicates, "units", lambda images: vectors.append(len(images)) or units(images))
    for image in pictures[1:4]:
        services.ood.near_duplicate("toy", image)
    assert sum(vectors) == 6  # the picture itself and the nearest one, to measure exactly


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3)])
def test_the_nearest_is_the_one_that_all_vectors_say(shape):
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (40, *shape)).astype(np.uint8)
    images[5] = 200  # without contrast
    index = duplicates.Index(images)
    for image in (images[7], np.clip(images[9].astype(int) + 9, 0, 255).astype(np.uint8), np.full(shape, 3, np.uint8)):
        gaps = np.linalg.norm(duplicates.units(images) - duplicates.units(image[None]), axis=1)
        row, distance = index.nearest(image)
        assert row == gaps.argmin()
        assert distance == pytest.approx(gaps.min(), abs=1e-6)


def test_nothing_is_near_in_an_empty_pool():
    index = duplicates.Index(np.zeros((0, 28, 28, 1), np.uint8))
    assert index.nearest(np.zeros((28, 28, 1), np.uint8))[1] > duplicates.LIMIT
