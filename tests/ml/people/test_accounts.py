"""Accounts: names, roles, passwords and tokens; what is refused, and what is written down of each change."""

import io
import time

import pytest
from sqlalchemy import select

from ml.__main__ import main
from ml.people import acting
from ml.people.accounts import SETTLED_NS, TOKEN, Accounts
from ml.people.tables import accounts as table
from ml.people.tables import tokens
from ml.system import database

WORD = "correct horse"


def test_looking_makes_no_database(tmp_path):
    accounts = Accounts(tmp_path)
    assert not accounts.locked()
    assert accounts.find("ada") is None
    assert accounts.listing() == []
    assert list(tmp_path.iterdir()) == []


def test_whether_there_are_accounts_is_read_again_once_the_files_changed(tmp_path, monkeypatch):
    database.migrate(database.open_engine(tmp_path), "other", [lambda connection: None])
    here, elsewhere, reads = Accounts(tmp_path), Accounts(tmp_path), []
    read = Accounts._read
    monkeypatch.setattr(Accounts, "_read", lambda self, *more: reads.append(self) or read(self, *more))
    assert not here.locked()
    time.sleep(2 * SETTLED_NS / 1e9)
    assert [here.locked() for _ in range(5)] == [False] * 5
    assert reads.count(here) == 2, "once when the files were new, once when they were not"
    for _ in range(3):
        elsewhere.add("ada", "review", WORD)
        assert here.locked()
        elsewhere.remove("ada")
        assert not here.locked()


def test_a_password_is_kept_as_argon2_hashes_it(tmp_path):
    accounts = Accounts(tmp_path)
    ada = accounts.add("Ada", "review", WORD)
    assert accounts.locked()
    with database.open_engine(tmp_path).connect() as connection:
        kept = connection.scalar(select(table.c.password))
    assert kept.startswith("$argon2id$")
    assert WORD not in kept
    assert accounts.matches(accounts.find("ADA"), WORD), "names are one in capital letters and small ones"
    assert not accounts.matches(ada, WORD + "!")
    assert not accounts.matches(None, WORD)
    changed = accounts.set_password("ada", "another horse")
    assert accounts.find("ada").version == changed.version + 1 == ada.version + 1
    assert not accounts.matches(ada, WORD)


def test_a_token_is_shown_once_and_holds_until_it_is_revoked(tmp_path):
    accounts = Accounts(tmp_path)
    accounts.add("robot", "train", None)
    assert not accounts.locked(), "somebody whom a proxy names cannot sign in here"
    token, other = accounts.make_token("robot", "nightly"), accounts.make_token("robot")
    assert accounts.locked()
    assert token.startswith(TOKEN)
    with database.open_engine(tmp_path).connect() as connection:
        kept = connection.scalars(select(tokens.c.digest)).all()
    assert token not in kept
    assert len(kept[0]) == 64
    assert accounts.of_token(token).name == "robot"
    assert accounts.of_token(token + "x") is None
    assert [(one.name, one.label) for one in accounts.tokens()] == [("robot", "nightly"), ("robot", "")]
    accounts.revoke(1)
    assert accounts.of_token(token) is None
    assert accounts.of_token(other) is not None
    accounts.remove("robot")
    assert accounts.of_token(other) is None
    accounts.add("robot", "look", None)
    assert accounts.of_token(other) is None, "who comes back has the tokens of then no more"


@pytest.mark.parametrize("name", ["Zoë", "हिन्दी", "ที่นี่", "می\u200cخواهم", "Нина К."])
def test_names_of_any_script(tmp_path, name):
    assert Accounts(tmp_path).add(name, "look", WORD).name == name


@pytest.mark.parametrize("name", ["", " ", "a:b", "a" * 61, "a\u200db", "\u0301", "ि" * 61, "a\nb,", "<b>", "x\u202ey"])
def test_a_name_that_cannot_be_sent_or_shown_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="Name"):
        Accounts(tmp_path).add(name, "look", WORD)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one.add("ada", "look", WORD), "already"),
        (lambda one: one.add("bo", "king", WORD), "Role: one of look, review, train, own"),
        (lambda one: one.add("bo", "look", "short"), "Password: 8 to 1,000"),
        (lambda one: one.set_role("nobody", "own"), "no account nobody"),
        (lambda one: one.remove("nobody"), "no account nobody"),
        (lambda one: one.revoke(7), "no token 7"),
        (lambda one: one.make_token("ada", "x" * 61), "Label"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, change, words):
    accounts = Accounts(tmp_path)
    accounts.add("ada", "own", WORD)
    with pytest.raises(ValueError, match=words):
        change(accounts)


def test_the_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WORD}\n"))
    assert main(["users", "add", "ada", "--role", "train", "--password-stdin"]) == 0
    assert main(["users", "role", "ada", "own"]) == 0
    assert main(["users", "token", "ada", "--label", "cron"]) == 0
    token = capsys.readouterr().out.splitlines()[-1]
    accounts = Accounts(tmp_path)
    assert accounts.of_token(token).role == "own"
    assert accounts.matches(accounts.find("ada"), WORD)
    assert main(["users", "list"]) == main(["users", "tokens"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ada\town\tpassword\t")
    assert "1\tada\tcron\t" in said
    assert token not in said
    assert main(["users", "remove", "bo"]) == 1
    assert "There is no account bo." in capsys.readouterr().err
    assert main(["users", "revoke", "1"]) == main(["users", "remove", "ada"]) == 0
    assert not accounts.locked()


def test_each_role_may_what_those_before_it_may():
    reach = {}
    for role in acting.ROLES:
        acting.enter(acting.Person("x", role))
        reach[role] = {act for act in acting.ACTS if acting.may(act)}
    acting.leave()
    assert reach["look"] == {"feedback"}
    assert reach["review"] - reach["look"] == {
        "judge", "decide", "undo", "bring", "slice", "describe", "change", "view",
    }  # fmt: skip
    assert reach["train"] - reach["review"] == {
        "train", "evaluate", "fetch", "job", "import", "dataset", "archive",
    }  # fmt: skip
    assert reach["own"] == set(acting.ACTS)
    assert all(acting.may(act) for act in acting.ACTS), "the command line and the app's own threads"
