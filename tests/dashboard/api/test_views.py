"""Saved views over HTTP: whole links, roles, what is gone, and what is wrong, in words."""

import json
import shutil
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.people.accounts import Accounts
from tests.dashboard.web.test_identity import HOST, WORD, signed

PATH = "/api/v1/views"


@pytest.fixture
def app(home, no_artifacts):
    """The app on two runs, of which the newer is in use."""
    folder = shutil.copytree(home / "runs" / "toy", home / "runs" / "second")
    manifest = json.loads((folder / "manifest.json").read_text())
    old = {**manifest, "run_id": "second", "created": "2020-01-01T00:00:00Z"}
    (folder / "manifest.json").write_text(json.dumps(old))
    return create_app(no_artifacts, home=home)


@pytest.fixture
def web(app):
    return app.server.test_client()


def save(web, name="Bars", link="/?true=Bar%200", **more):
    return web.post(PATH, json={"name": name, "link": link, **more}, base_url=HOST)


def test_a_link_is_kept_whole(web):
    answer = save(web, description="of the first kind")
    assert answer.status_code == 201
    made = answer.get_json()
    path, _, query = made["link"].partition("?")
    kept = Selection.parse(query)
    assert (path, kept.run, kept.true, len(kept.data)) == ("/", "toy", ("Bar 0",), 16)
    assert "split=test" in query, "whatever the default is by then"
    assert (made["title"], made["dataset_title"], made["gone"]) == ("Dashboard", made["dataset_title"], "")
    assert save(web).status_code == 200, "the same again is the one that is there"
    compared = save(web, "Two", "/comparison").get_json()
    assert Selection.parse(compared["link"].partition("?")[2]).against == "second"
    inbox = save(web, "New ones", "/feedback?state=new").get_json()
    assert (inbox["link"], inbox["dataset_title"]) == ("/feedback?split=test&state=new", "Of all data sets")
    assert web.get(f"{PATH}/{made['number']}", base_url=HOST).get_json() == made
    listed = web.get(f"{PATH}?text=kind", base_url=HOST).get_json()
    assert (listed["views"], listed["n"], listed["locked"]) == ([made], 1, "")
    assert {"name": "/comparison", "title": "Comparison", "n": 1} in listed["pages"]


def test_it_opens_what_was_saved_after_another_run_is_promoted(web, app):
    link = save(web).get_json()["link"]
    before = web.get(f"/export/selection.csv{link[1:]}", base_url=HOST).text
    app.store._records.promote("second", "It is better.", "toy")
    assert app.store.default_run() == "second"
    assert web.get(f"/export/selection.csv{link[1:]}", base_url=HOST).text == before


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("/?run=gone&true=Bar%200", "shows what is not here: run gone"),
        ("/?data=00000000deadbeef", "another version of the images"),
        ("/nowhere", "a page of this app"),
        ("https://example.org/?true=Bar%200", "a page of this app"),
        ("javascript:alert(1)", "a page of this app"),
        ("//example.org/", "a page of this app"),
    ],
)
def test_what_is_not_here_is_not_saved_as_something_else(web, link, words):
    answer = save(web, link=link)
    assert answer.status_code == 422
    assert words in answer.get_json()["error"]
    assert web.get(PATH, base_url=HOST).get_json()["n"] == 0


def test_junk_in_an_address_is_not_kept(web):
    made = save(web, link="/?utm=1&true=Bar%200&sort=%3Cb%3E#x").get_json()
    assert made["link"].endswith("&split=test&true=Bar%200")


def test_a_view_says_what_of_it_is_gone(web, app):
    number = save(web, link="/?run=second").get_json()["number"]
    pair = save(web, "Pair", link="/comparison?run=toy&against=second").get_json()["number"]
    shutil.rmtree(app.store.library.home / "runs" / "second")
    said = {one["number"]: one["gone"] for one in web.get(PATH, base_url=HOST).get_json()["views"]}
    assert said[number] == "run second, which is not here (any more); toy is shown"
    assert said[pair] == "run second, which is not here (any more)"


def test_a_taken_name_is_refused_with_a_free_one(web):
    save(web)
    answer = save(web, link="/?true=Bar%201")
    assert answer.status_code == 409
    assert {name: answer.get_json()[name] for name in ("field", "free")} == {"field": "name", "free": "Bars (2)"}


def test_a_view_changes_goes_and_comes_back(web):
    number = save(web).get_json()["number"]
    changed = web.post(f"{PATH}/{number}", json={"name": "Poles", "description": "tall"}, base_url=HOST).get_json()
    assert (changed["name"], changed["description"]) == ("Poles", "tall")
    assert web.delete(f"{PATH}/{number}", base_url=HOST).get_json() == changed
    assert web.delete(f"{PATH}/{number}", base_url=HOST).status_code == 404
    assert web.get(PATH, base_url=HOST).get_json()["n"] == 0
    assert web.post(f"{PATH}/{number}/restore", base_url=HOST).get_json() == changed
    for address in (f"{PATH}/0", f"{PATH}/x", f"{PATH}/{2**31}", f"{PATH}/99", f"{PATH}/{'9' * 400}"):
        assert web.get(address, base_url=HOST).status_code == 404, address


def test_roles(home, no_artifacts):
    accounts = Accounts(home)
    for name, role in (("lou", "look"), ("rae", "review")):
        accounts.add(name, role, WORD)
    web = create_app(no_artifacts, home=home).server.test_client()

    def asked(method, path="", who="lou", **more):
        return web.open(PATH + path, method=method, headers=signed(who), base_url=HOST, **more)

    sent = {"name": "Bars", "link": "/"}
    refused = asked("POST", json=sent)
    assert refused.status_code == 403
    words = "lou has the role look: it takes the role review to save, rename or delete views."
    assert refused.get_json()["error"].startswith(words)
    made = asked("POST", who="rae", json=sent).get_json()
    assert made["who"] == "rae"
    for method, path in (("DELETE", ""), ("POST", ""), ("POST", "/restore")):
        assert asked(method, f"/{made['number']}{path}", json={"name": "x"}).status_code == 403
    listed = asked("GET").get_json()
    assert (listed["n"], listed["locked"][: len(words)]) == (1, words)
    assert asked("GET", who="rae").get_json()["locked"] == ""
    (newest, *_) = web.get("/api/v1/happenings?act=view", headers=signed("lou"), base_url=HOST).get_json()["happenings"]
    assert (newest["who"], newest["what"]) == ("rae", "Bars: saved")
    shown = create_app(no_artifacts, home=home, read_only=True).server.test_client()
    listed = shown.get(PATH, headers=signed("rae"), base_url=HOST).get_json()
    assert (listed["n"], listed["views"][0]["who"]) == (1, "")
    assert "changes nothing" in listed["locked"]
    assert shown.delete(f"{PATH}/1", headers=signed("rae"), base_url=HOST).status_code == 403


def test_another_sites_page_saves_and_deletes_nothing(web):
    number = save(web).get_json()["number"]
    elsewhere = {"Origin": "https://example.org"}
    assert web.delete(f"{PATH}/{number}", headers=elsewhere, base_url=HOST).status_code == 403
    assert web.get(PATH, headers={"Sec-Fetch-Site": "cross-site"}, base_url=HOST).status_code == 403


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"link": "/"}, "Name: 1 to 60"),
        ({"name": "x"}, "Link: a page"),
        ({"name": "x", "link": "/", "description": "d" * 501}, "Description: up to 500"),
        ({"name": "x", "link": "/?" + "a" * 9_000}, "Link: a page"),
        ([], "Send an object"),
    ],
)
def test_what_is_wrong_is_said(web, sent, words):
    answer = web.post(PATH, json=sent, base_url=HOST)
    assert answer.status_code == 422
    assert words in answer.get_json()["error"]


def test_a_full_disk_and_a_lost_database_are_called_that(web, app, monkeypatch):
    from dashboard.records.views import Views

    number = save(web).get_json()["number"]

    def full(*_):
        raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr("dashboard.records.views.insert", full)
        answer = save(web, "More", "/insights")
        assert answer.status_code == 503
        assert "disk is full" in answer.get_json()["error"]
    monkeypatch.setattr(Views, "opened", lambda _: None)
    for answer in (web.get(PATH, base_url=HOST), web.delete(f"{PATH}/{number}", base_url=HOST)):
        assert answer.status_code == 503
        assert "database cannot be used" in answer.get_json()["error"]
        assert answer.headers["Retry-After"]
