"""Panels that are not asked again when an image is opened (assets/unmoved.js) would have answered the same."""

import re

import pytest

from ml.system.paths import ARTIFACTS, ASSETS
from tests import callbacks

LISTED = re.compile(r"const STILL = \[(.*?)\];", re.DOTALL)
SAMPLE = 8832


@pytest.fixture(scope="module")
def still() -> list[str]:
    """The first output of each of them."""
    script = (ASSETS / "unmoved.js").read_text(encoding="utf-8")
    return re.findall(r"'([\w-]+)'", LISTED.search(script)[1])


@pytest.fixture
def app(tmp_path, monkeypatch):
    """The app on what ships."""
    from dashboard.shell import create_app

    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    return create_app(artifacts=ARTIFACTS)


def plain(text: str) -> str:
    """An answer whose matrix does not say that it was drawn while the image was open: scripts leave that aside."""
    return re.sub(rf'"of":"([^"]*?)[?&]sample={SAMPLE}"', r'"of":"\1"', text)


@pytest.mark.parametrize("search", ["", "?true=Shirt", "?split=validation&pred=Coat&epoch=3"])
def test_their_answer_is_the_same_whichever_image_is_open(app, still, search):
    client, defaults = callbacks.fired_in_process(app), callbacks.defaults_of(app)
    opened = f"{search}{'&' if search else '?'}sample={SAMPLE}"
    found = {}
    for one in client.dependencies:
        first = one["output"].lstrip(".").split(".")[0]
        if first not in still or one.get("clientside_function"):
            continue
        said = []
        for address in (search, opened):
            values, changed = callbacks.values_of(one, defaults, address)
            said.append(client.send("/_dash-update-component", callbacks.body(one, values, changed)))
        assert said[0][0] == said[1][0] in (200, 204), first
        before, after = said[0][1], plain(said[1][1])
        assert after == before, first
        found[first] = before
    assert sorted(found) == sorted(still), "each is there"
