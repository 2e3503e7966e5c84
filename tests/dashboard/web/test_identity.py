"""Who may come in, under which name, and what they may do: accounts, tokens, a proxy's header, one password."""

import secrets
import time

import pytest

from dashboard import shell
from dashboard.shell import create_app
from dashboard.web import identity, security, server
from ml.people import acting
from ml.people.accounts import Accounts

WORD, OTHER = "correct horse", "battery staple"
HOST = "http://127.0.0.1"
PEOPLE = ("FASHION_USER_HEADER", "FASHION_USER_PROXIES", "FASHION_USER_ROLE")


def signed(name: str, word: str = WORD) -> dict[str, str]:
    return {"Authorization": security.basic(word, name)}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def people(home):
    accounts = Accounts(home)
    for name, role in (("lou", "look"), ("rae", "review"), ("tia", "train"), ("owen", "own")):
        accounts.add(name, role, WORD)
    return accounts


@pytest.fixture
def client(people, home, no_artifacts):
    return create_app(no_artifacts, home=home).server.test_client()


def whoami(client, headers, path="/api/v1/runs", **more) -> tuple[int, object]:
    """Status, and who was acting while it was answered."""
    seen = []
    client.application.before_request_funcs[None].append(lambda: seen.append(acting.person()) or None)
    answer = client.get(path, base_url=HOST, headers=headers, **more)
    client.application.before_request_funcs[None].pop()
    assert acting.person() is None, "the next request on this thread begins with nobody"
    return answer.status_code, (seen or [None])[0]


def test_an_account_lets_in_under_its_name(client, people):
    assert whoami(client, {})[0] == 401
    assert whoami(client, signed("rae", "wrong"))[0] == 401
    assert whoami(client, signed("nobody"))[0] == 401
    assert whoami(client, signed("RAE")) == (200, acting.Person("rae", "review", "account"))
    people.set_role("rae", "own")
    assert whoami(client, signed("rae"))[1].role == "own", "at once"
    people.set_password("rae", OTHER)
    assert whoami(client, signed("rae"))[0] == 401, "what was verified before is verified anew"
    people.remove("rae")
    assert whoami(client, signed("rae", OTHER))[0] == 401
    assert client.get("/health", base_url=HOST).status_code == 200


def test_a_password_that_was_right_is_not_hashed_with_every_request(client, monkeypatch):
    asked = []
    real = Accounts.matches
    monkeypatch.setattr(Accounts, "matches", lambda *given: asked.append(1) or real(*given))
    for _ in range(20):
        assert whoami(client, signed("lou"))[0] == 200
    assert len(asked) == 1
    assert whoami(client, signed("lou", OTHER))[0] == 401
    assert len(asked) == 2


def test_wrong_passwords_and_tokens_are_slowed_together(client, monkeypatch, caplog):
    monkeypatch.setattr(Accounts, "matches", lambda *_: False)
    tries = [signed("lou", f"guess {n}") if n % 2 else bearer(f"ff_{n}") for n in range(40)]
    statuses = [whoami(client, one)[0] for one in tries]
    assert statuses[:10] == [401] * 10
    assert set(statuses[14:]) == {429}
    assert sum("wrong password from 127.0.0.1" in one.getMessage() for one in caplog.records) >= 10


def test_a_token_opens_the_api_and_no_page(client, people):
    token = people.make_token("tia", "night")
    assert whoami(client, bearer(token)) == (200, acting.Person("tia", "train", "token"))
    assert whoami(client, bearer(token), "/")[0] == 401
    people.revoke(1)
    assert whoami(client, bearer(token))[0] == 401


def test_a_shared_password_gives_nobody_a_name(home, no_artifacts, monkeypatch):
    monkeypatch.setenv("FASHION_PASSWORD", WORD)
    client = create_app(no_artifacts, home=home).server.test_client()
    assert whoami(client, signed("anybody")) == (200, acting.Person("", "own", "password"))
    accounts = Accounts(home)
    accounts.add("ada", "own", OTHER)
    assert whoami(client, signed("anybody"))[0] == 401, "where people have accounts it opens nothing"
    assert whoami(client, signed("ada", OTHER))[0] == 200
    accounts.remove("ada")
    assert whoami(client, signed("anybody"))[0] == 200


def test_it_does_not_open_to_everybody_when_the_last_account_goes(client, people):
    for one in people.listing():
        people.remove(one.name)
    assert whoami(client, {})[0] == 401
    assert whoami(client, signed("owen"))[0] == 401


@pytest.fixture
def proxied(home, no_artifacts, monkeypatch):
    monkeypatch.setenv("FASHION_USER_HEADER", "X-Forwarded-Email")
    monkeypatch.setenv("FASHION_USER_PROXIES", "10.1.0.0/16, ::1")
    return create_app(no_artifacts, home=home).server.test_client()


def through(address: str) -> dict:
    return {"environ_base": {"REMOTE_ADDR": address}}


def test_a_proxys_header_is_believed_from_listed_addresses_alone(proxied, home, monkeypatch):
    name = {"X-Forwarded-Email": "ada@example.org"}
    ada = acting.Person("ada@example.org", "look", "proxy")
    assert whoami(proxied, name, **through("10.1.2.3")) == (200, ada)
    assert whoami(proxied, name, **through("::ffff:10.1.2.3")) == (200, ada)
    assert whoami(proxied, name, **through("10.2.0.1"))[0] == 401
    assert whoami(proxied, name, **through("127.0.0.1"))[0] == 401
    spoofed = {**name, "X-Forwarded-For": "10.1.2.3"}
    assert whoami(proxied, spoofed, **through("10.2.0.1"))[0] == 401
    assert whoami(proxied, {}, **through("10.1.2.3"))[0] == 401, "a path that the proxy lets through without a name"
    Accounts(home).add("ada@example.org", "train", None)
    assert whoami(proxied, name, **through("10.1.2.3"))[1].role == "train"
    monkeypatch.setenv("FASHION_USER_ROLE", "review")
    assert whoami(proxied, {"X-Forwarded-Email": "bo@example.org"}, **through("10.1.2.3"))[1].role == "review"


def test_an_address_that_a_counted_proxy_names_is_not_the_peer(home, no_artifacts, monkeypatch):
    monkeypatch.setenv("FASHION_PROXIES", "1")
    monkeypatch.setenv("FASHION_USER_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("FASHION_USER_PROXIES", "10.1.0.1")
    client = create_app(no_artifacts, home=home).server.test_client()
    sent = {"X-Forwarded-User": "ada", "X-Forwarded-For": "10.1.0.1"}
    assert whoami(client, sent, **through("10.2.0.1"))[0] == 401
    visitor = {"X-Forwarded-User": "ada", "X-Forwarded-For": "192.0.2.9"}
    assert whoami(client, visitor, **through("10.1.0.1"))[1].name == "ada"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("ada", "ada"), ("  Ada  Lovelace ", "Ada Lovelace"), ("", ""),
        ('{"kind": "user", "name": "ada", "admin": false}', "ada"), ('{"name": null}', ""),
        ("Jürgen".encode().decode("latin-1"), "Jürgen"),
        ("eve, ada", None), ("a" * 61, None), ("{", None), ("a\x07", None), ("\xff", None),
    ],
)  # fmt: skip
def test_the_name_in_a_header(sent, name):
    if name is None:
        with pytest.raises(identity.RequestError):
            identity.name_in(sent)
    else:
        assert identity.name_in(sent) == name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("X-User", "", ""), "needs FASHION_USER_PROXIES"), (("X User", "10.0.0.1", ""), "a header's name"),
        (("X-User", "here", ""), "IP addresses or networks"), (("X-User", "::1", "king"), "look, review, train or own"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_right_stop_the_start(values, words, monkeypatch, capsys, home, no_artifacts):
    for name, value in zip(PEOPLE, values, strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        create_app(no_artifacts, home=home)
    assert words in capsys.readouterr().err


def test_accounts_or_a_proxy_satisfy_the_rule_for_other_addresses(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    monkeypatch.setattr(server, "take", lambda *_: None)
    with pytest.raises(SystemExit):
        server.options(["--host", "0.0.0.0"])
    assert "python -m ml users add" in capsys.readouterr().err
    accounts = Accounts(home)
    accounts.add("ada", "own", None)
    with pytest.raises(SystemExit):
        server.options(["--host", "0.0.0.0"])
    accounts.set_password("ada", WORD)
    assert server.options(["--host", "0.0.0.0"]).host == "0.0.0.0"
    accounts.remove("ada")
    monkeypatch.setenv("FASHION_USER_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("FASHION_USER_PROXIES", "10.0.0.1")
    assert server.options(["--host", "0.0.0.0"]).host == "0.0.0.0"


def test_the_servers_own_first_requests_need_no_name(people, home, no_artifacts):
    server.warm(create_app(no_artifacts, home=home))


def decide(client, name: str, **more):
    body = {"run": "toy", "split": "test", "ids": [1], "action": "exclude", "batch": secrets.token_hex(16), **more}
    return client.post("/api/v1/decisions", base_url=HOST, headers=signed(name), json=body)


def test_a_role_that_does_not_reach_is_told_so_and_nothing_changes(client):
    refused = decide(client, "lou")
    assert refused.status_code == 403
    assert refused.get_json()["error"] == (
        "lou has the role look: it takes the role review to decide labels. Whoever runs this server can give it."
    )
    assert decide(client, "rae").status_code == 200
    listed = client.get("/api/v1/happenings", base_url=HOST, headers=signed("lou")).get_json()["happenings"]
    acts = [(one["who"], one["act"]) for one in listed]
    assert acts == [("rae", "decide"), *[("", "account")] * 4]


def test_a_decision_carries_the_proved_name_whatever_the_request_says(client):
    made = decide(client, "rae", who="somebody else").get_json()["decisions"]
    assert [one["who"] for one in made] == ["rae"]
    rows = client.get("/api/v1/happenings?who=rae&act=decide", base_url=HOST, headers=signed("lou")).get_json()
    assert [one["what"] for one in rows["happenings"]] == ["test #1: exclude"]
    assert rows["happenings"][0]["when"].startswith(time.strftime("%Y-", time.gmtime()))
    text = client.get("/export/happenings.csv?who=rae", base_url=HOST, headers=signed("lou")).get_data(as_text=True)
    assert text.splitlines()[0] == "number,when,who,act,about,what"
    assert ",rae,decide," in text.splitlines()[1]


@pytest.mark.parametrize(
    ("query", "status"), [("act=nothing", 400), ("before=x", 400), ("before=2", 200), ("who=-", 200)]
)
def test_what_the_list_is_asked_for(client, query, status):
    assert client.get(f"/api/v1/happenings?{query}", base_url=HOST, headers=signed("lou")).status_code == status


def test_a_read_only_server_names_nobody(home, no_artifacts):
    client = create_app(no_artifacts, home=home, read_only=True).server.test_client()
    for address in ("/api/v1/happenings", "/export/happenings.csv"):
        assert client.get(address, base_url=HOST).status_code == 403


@pytest.mark.parametrize(
    ("person", "words"),
    [
        (None, ""),
        (acting.Person(), ""),
        (acting.Person(how="password"), "One password for everybody: nobody has a name here."),
        (acting.Person("ada", "review", "account"), "ada, role review."),
    ],
)
def test_the_foot_says_who_looks(person, words):
    if person:
        acting.enter(person)
    assert shell.signed_in() == words
    acting.leave()


def test_what_nobody_could_check_is_no_wrong_password(client, monkeypatch):
    def broken(*_):
        raise OSError

    monkeypatch.setattr(Accounts, "find", broken)
    assert {whoami(client, signed("rae"))[0] for _ in range(30)} == {503}


def test_the_panel_lists_what_somebody_did(client):
    assert decide(client, "rae").status_code == 200
    page = client.application
    who = {"id": "monitoring-happenings-who", "property": "value", "value": "rae"}
    act = {"id": "monitoring-happenings-act", "property": "value", "value": "everything"}
    again = {"id": "monitoring-happenings-body-again", "property": "n_clicks", "value": None}
    output = (
        "..monitoring-happenings-face.children...monitoring-happenings-body.tree...monitoring-happenings-csv.children.."
    )
    named = [one.rpartition(".")[::2] for one in output[2:-2].split("...")]
    body = {
        "output": output, "outputs": [{"id": one, "property": prop} for one, prop in named],
        "inputs": [who, act, again], "changedPropIds": [],
    }  # fmt: skip
    answer = page.test_client().post("/_dash-update-component", base_url=HOST, headers=signed("lou"), json=body)
    text = answer.get_data(as_text=True)
    assert "test #1: exclude" in text
    assert "rae, 20" in text
    assert "who=rae" in text
    assert "added as" not in text
