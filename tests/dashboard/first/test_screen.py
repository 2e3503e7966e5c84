"""What the first response holds: the page drawn, and the very answers that the server gives when asked."""

import base64
import dataclasses
import hashlib
import html
import json
import logging
import re
import sqlite3
from contextlib import closing

import pytest

from dashboard.first import keeping, played, screen
from dashboard.shell import create_app
from dashboard.web import security
from ml.people.accounts import Accounts
from ml.people.acting import ROLES
from tests.conftest import TOY_RUN

PERSON = {"Accept": "text/html,application/xhtml+xml"}
CALLBACK = "/_dash-update-component"
WORD = "a long enough word"


@pytest.fixture
def web(app):
    return app.server.test_client()


def opened(web, path: str = "/", **headers: str) -> str:
    answer = web.get(path, headers={**PERSON, **headers})
    assert answer.status_code == 200
    return answer.text


def seen(page: str) -> str:
    """The screen alone, without scripts."""
    return re.search(r'<div id="app-first"[^>]*>(.*?)<script type="application/json" id="first-layout"', page, re.S)[1]


def answers(page: str, mode: str = "light") -> list[tuple[str, list, str]]:
    """What a page that shows itself in these colours takes: in order of the callbacks' names."""
    entry = r'<script type="application/json" data-first="([^"]*)"(?: data-theme="(\w+)")?>(.*?)</script>'
    found = [(asked, text) for asked, whose, text in re.findall(entry, page, re.S) if whose in ("", mode)]
    return sorted((*json.loads(html.unescape(asked)), text) for asked, text in found)


def test_scores_matrix_and_gallery_stand_before_any_script(web):
    page = opened(web)
    assert "<html" in page
    assert re.search(r"<html[^>]* data-first>", page)
    screen = seen(page)
    assert "of test images named right" in screen
    classes = len(re.findall(r'class="rl"', screen))
    assert classes > 1
    assert screen.count('data-x="') == classes**2
    assert screen.count('class="tile"') > 0
    assert 'href="/insights"' in screen
    assert re.search(r' id="(?!first-)', screen) is None  # the page that takes over has them
    assert page.index('id="react-entry-point"') < page.index('id="app-first"') < page.index("dash_renderer.")
    sheet = re.search(r'<link rel="preload" as="image" href="(/sprites/[^"]+)">', page)[1]
    assert f"url({html.unescape(sheet)})" in html.unescape(screen)
    assert web.get(html.unescape(sheet)).status_code == 200


def test_the_answers_are_what_the_server_says_when_asked(app, web):
    page = opened(web, f"/?run={TOY_RUN}&sort=id")
    given = answers(page)
    layout = json.loads(re.search(r'id="first-layout">(.*?)</script>', page, re.S)[1])
    assert layout == web.get("/_dash-layout").json
    listed = {one["output"]: one for one in web.get("/_dash-dependencies").json}
    told = 0
    for output, values, text in given:
        one, parts = listed[output], iter(values)
        names = [
            dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in output.strip(".").split("...")
        ]
        body = {"output": output, "outputs": names if output.startswith("..") else names[0], "changedPropIds": []}
        body |= {kind: [{**part, "value": next(parts)} for part in one[kind]] for kind in ("inputs", "state")}
        answer = web.post(CALLBACK, json=body)
        assert answer.status_code == (200 if text else 204), output
        if text:
            told += 1
            assert json.loads(text) == answer.json
    assert told >= 9
    for panel in ("scores", "confusion", "accuracy", "distribution", "gallery"):
        assert any(f"dashboard-{panel}-" in output and text for output, _, text in given), panel


@pytest.mark.parametrize("path", [f"/?run={TOY_RUN}", "/insights", "/prediction"])
def test_who_never_chose_colours_is_told_what_either_would_be(web, path):
    either = opened(web, path)
    assert "data-either" in re.search(r'<div id="app-first"[^>]*>', either)[0]
    for mode in ("light", "dark"):
        web.set_cookie("theme", mode)
        known = opened(web, path)
        web.delete_cookie("theme")
        assert answers(either, mode) == answers(known)
        assert "data-either" not in re.search(r'<div id="app-first"[^>]*>', known)[0]
        layouts = [re.search(r'id="first-layout">(.*?)</script>', page, re.S)[1] for page in (either, known)]
        store = '"id":"app-theme-state","data":"MODE"'
        assert layouts[0].replace(store.replace("MODE", "light"), store.replace("MODE", mode)) == layouts[1]


@pytest.mark.parametrize("path", ["/insights", "/training", "/review", "/data", "/monitoring"])
def test_every_page_has_its_frame_at_once(web, path):
    screen = seen(opened(web, path))
    assert "<h1>" in screen
    here = re.search(r'<a [^>]*aria-current="page"[^>]*>', screen)[0]
    assert f'data-page="{path}"' in here


def test_what_changed_is_in_the_next_response(app, web):
    before = opened(web)
    app.store._records.rename(TOY_RUN, "Another name")
    after = opened(web)
    assert "Another name" in seen(after)
    assert "Another name" not in seen(before)
    assert any("Another name" in text for output, _, text in answers(after) if output.startswith("..run-picker"))


def test_programs_get_the_page_alone(web):
    page = web.get("/").text
    assert "app-first" not in page
    assert "data-first" not in page


def test_what_cannot_be_drawn_leaves_the_page_as_it_always_was(web, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(played, "play", broken)
    with caplog.at_level(logging.WARNING):
        page = opened(web)
    assert "the first screen of / was not drawn" in caplog.text
    assert "app-first" not in page
    assert 'id="react-entry-point"' in page


def test_a_callback_that_fails_is_left_to_the_browser(app, web, monkeypatch, caplog):
    name = next(output for output in app.callback_map if "dashboard-scores-body" in output)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no scores")

    monkeypatch.setitem(app.callback_map[name], "callback", broken)
    with caplog.at_level(logging.WARNING):
        page = opened(web)
    assert name not in [output for output, _, _ in answers(page)]
    assert "no scores" in caplog.text
    assert "no scores" not in page
    assert 'class="tile"' in seen(page)


def test_text_of_a_run_ends_no_script(home, no_artifacts):
    folder = home / "runs" / TOY_RUN / "manifest.json"
    manifest = json.loads(folder.read_text(encoding="utf-8"))
    manifest["title"] = "</script><b>{%scripts%}"
    folder.write_text(json.dumps(manifest), encoding="utf-8")
    page = opened(create_app(no_artifacts, home=home).server.test_client())
    assert "</script><b>" not in page
    assert page.count("dash_renderer.") == 1


def test_every_inline_script_is_one_that_the_policy_lets_run(web):
    answer = web.get("/", headers=PERSON)
    policy = answer.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>(.*?)</script>", answer.text, re.S)
    assert any("data-first" in one for one in scripts)
    for one in scripts:
        assert base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() in policy


def test_scripts_wait_in_their_order_for_the_first_frame(web):
    page, plain = opened(web), web.get("/").text
    scripts = re.compile(r'<script[^>]* src="([^"]+)"')
    assert len(scripts.findall(page)) > 5
    assert scripts.findall(page) == scripts.findall(plain)
    assert page.count('<script type="later" ') == len(scripts.findall(page))
    assert page.index(screen.LAST) > page.rindex('<script type="later" ')
    assert page.index(screen.INLINE) < page.index('rel="stylesheet"')  # or it would wait for the style
    assert (
        re.findall(r'<link rel="(?:preload|prefetch)" as="(?:script|fetch)"', page) == []
    )  # nor are they fetched sooner
    assert 'rel="later"' in page
    assert "later" not in re.sub(r"<style>.*?</style>", "", plain, flags=re.S)
    assert 'id="_dash-renderer"' in page


@pytest.mark.parametrize(
    "scripts",
    [
        '<script src="/a.js"></script><script type="module" src="/b.js"></script>',
        '<script src="/a.js"></script><script>let a;</script>',
    ],
)
def test_scripts_of_another_kind_keep_all_where_they_are(scripts):
    assert screen.later(scripts) == scripts


def test_addresses_have_the_prefix_of_their_own_request(home, no_artifacts, monkeypatch):
    monkeypatch.setenv("FASHION_PREFIX", "/there")
    page = opened(create_app(no_artifacts, home=home).server.test_client())
    screen = seen(page)
    assert 'href="/there/insights"' in screen
    assert "url(/there/sprites/" in screen
    assert 'href="/there/_dash-dependencies"' in page
    assert 'data-solid="/there/assets/' in page
    assert not re.search(r"(?:href=\"|src=\"|url\()/(?!there/)", screen)
    assert '"/there/sprites/' in page or "url(/there/sprites/" in page


def test_each_reader_gets_what_the_role_may_see(home, no_artifacts):
    accounts = Accounts(home)
    for role in ROLES:
        accounts.add(role, role, WORD)
    web = create_app(no_artifacts, home=home).server.test_client()
    pages = {}
    for role in (*ROLES, *ROLES):
        pages[role] = opened(web, Authorization=security.basic(WORD, role))
        assert f"{role}, role {role}." in seen(pages[role])
    can = [role for role in ROLES if 'data-to-add=""' in seen(pages[role])]
    assert 0 < len(can) < len(ROLES)
    for role in ROLES:
        listed = json.loads(re.search(r'id="first-layout">(.*?)</script>', pages[role], re.S)[1])
        assert listed == web.get("/_dash-layout", headers={"Authorization": security.basic(WORD, role)}).json
    assert web.get("/", headers={**PERSON, "Authorization": security.basic("wrong", ROLES[0])}).status_code == 401


@pytest.fixture
def drawings(web, monkeypatch):
    """How often a screen was drawn, once the tables are there and a first one is kept."""
    monkeypatch.setattr(keeping, "clock", lambda: 0.0)
    for _ in range(2):  # the first makes the tables where there are none
        opened(web)
    drawn: list[int] = []
    draw = played.play
    monkeypatch.setattr(played, "play", lambda *given: drawn.append(1) or draw(*given))
    return drawn


def test_what_has_not_changed_is_drawn_once(web, drawings):
    screens = {seen(opened(web, "/?sort=id")) for _ in range(3)}
    assert len(screens) == 1
    assert len(drawings) == 1
    opened(web, "/?sort=id&page=1")
    web.set_cookie("theme", "dark")
    opened(web, "/?sort=id")
    web.delete_cookie("theme")
    assert len(drawings) == 3
    opened(web, "/?sort=id")
    assert len(drawings) == 3
    opened(web, "/training")
    opened(web, "/training")
    assert len(drawings) == 5, "what follows from more than runs and database is drawn each time"


def test_whatever_is_committed_is_in_the_next_screen(app, web, home, drawings):
    records = app.store._records
    assert "Second name" not in seen(opened(web))
    for n, name in enumerate(("Second name", "Third name", "Fourth name")):
        records.rename(TOY_RUN, name)
        assert name in seen(opened(web))
        assert name in seen(opened(web))
        assert len(drawings) == n + 1
    with closing(sqlite3.connect(home / "fashion.db")) as other:  # as another program would
        other.execute("UPDATE migrations SET applied = applied + 1")
        other.commit()
    opened(web)
    assert len(drawings) == 4


def test_a_run_that_comes_goes_or_changes_is_in_the_next_screen(web, home, drawings):
    assert "· 0.0 %" not in seen(opened(web))
    manifest = home / "runs" / TOY_RUN / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["results"]["test"]["correct"] = 0
    manifest.write_text(json.dumps(told), encoding="utf-8")
    assert "· 0.0 %" in seen(opened(web))
    manifest.unlink()
    assert 'class="tile"' not in seen(opened(web))
    assert len(drawings) == 2


def test_a_screen_with_what_failed_is_not_kept(app, web, monkeypatch, drawings):
    name = next(output for output in app.callback_map if "dashboard-scores-body" in output)
    whole = app.callback_map[name]["callback"]

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no scores")

    monkeypatch.setitem(app.callback_map[name], "callback", broken)
    app.store._records.rename(TOY_RUN, "Named anew")
    assert "of test images named right" not in seen(opened(web))
    monkeypatch.setitem(app.callback_map[name], "callback", whole)
    assert "of test images named right" in seen(opened(web))
    monkeypatch.setattr("dashboard.pages.dashboard.scores.body", broken)
    app.store._records.rename(TOY_RUN, "Renamed")
    assert 'class="face bad"' in seen(opened(web))
    monkeypatch.undo()
    assert 'class="face bad"' not in seen(opened(web))


def test_nothing_is_kept_where_nobody_knows_what_was_written(app, web, monkeypatch, drawings):
    monkeypatch.setattr(app, "drawn", dataclasses.replace(app.drawn, changes=lambda: None))
    opened(web)
    opened(web)
    assert len(drawings) == 2


def test_a_screen_is_drawn_anew_after_a_minute(web, monkeypatch, drawings):
    now = [1000.0]
    monkeypatch.setattr("dashboard.first.keeping.clock", lambda: now[0])
    opened(web)
    opened(web)
    assert len(drawings) == 1
    now[0] += keeping.SECONDS
    opened(web)
    assert len(drawings) == 2
