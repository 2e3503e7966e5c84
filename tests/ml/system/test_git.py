"""One commit of a repository on loopback, by git and by dulwich: whole and as its id says, or not at all."""

import os
import sys
import threading
import time

import psutil
import pytest

from ml.system import git
from tests import git_server

FILES = {
    "train/a/1.jpg": os.urandom(9_000), "train/a/é ü\n.jpg": b"odd", "test/a/2.jpg": b"aside",
    "train/b/link.jpg": "/etc/passwd",
    ".gitattributes": b"*.jpg filter=evil export-ignore\n", ".gitmodules": b'[submodule "x"]\npath = x\nurl = /etc\n',
}  # fmt: skip


@pytest.fixture(params=[git.GIT, git.DULWICH])
def by(request):
    if request.param == git.DULWICH:
        pytest.importorskip("dulwich")
    return request.param


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return git_server.repository(tmp_path_factory.mktemp("repository"), FILES)


@pytest.fixture
def into(tmp_path):
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def test_a_commit_is_fetched_with_its_files_as_they_are_and_no_link(repository, by, into):
    bare, commit = repository
    with git_server.served(bare.parent) as address:
        found = git.fetch(f"{address}/photos.git", commit, into, most=10**6, by=by)
    listed = found.files()
    assert set(listed) == {name for name, content in FILES.items() if isinstance(content, bytes)}
    names = ["train/a/é ü\n.jpg", "train/a/1.jpg"]
    assert [*found.contents([listed[name] for name in names])] == [FILES[name] for name in names]
    assert not [path for path in into.rglob("*") if path.suffix == ".jpg"], "nothing is checked out"


def test_a_file_that_is_too_large_is_passed_over(repository, by, into, monkeypatch):
    monkeypatch.setattr(git, "FILE_BYTES", 100)
    bare, commit = repository
    with git_server.served(bare.parent) as address:
        found = git.fetch(f"{address}/photos.git", commit, into, most=10**6, by=by)
    listed = found.files()
    assert [*found.contents([listed["train/a/1.jpg"], listed["test/a/2.jpg"]])] == [b"", b"aside"]


def test_what_cannot_be_had_is_a_reason_in_words(repository, by, into):
    bare, commit = repository
    with git_server.served(bare.parent) as address:
        for other, words in (("0" * 39 + "1", "does not have that commit|broke off"), (commit, None)):
            if words:
                with pytest.raises(git.Unreachable, match=words):
                    git.fetch(f"{address}/photos.git", other, into, most=10**6, by=by)
        (into / "none").mkdir()
        with pytest.raises(git.Unreachable, match="there is no such repository"):
            git.fetch(f"{address}/none.git", commit, into / "none", most=10**6, by=by)
    (into / "refused").mkdir()
    with pytest.raises(git.Unreachable, match="the connection was refused"):
        git.fetch(f"{address}/photos.git", commit, into / "refused", most=10**6, by=by)


def test_a_line_that_breaks_off_is_said(repository, by, into):
    bare, commit = repository
    with (
        git_server.served(bare.parent, breaks_after=900) as address,
        pytest.raises(git.Unreachable, match="it broke off"),
    ):
        git.fetch(f"{address}/photos.git", commit, into, most=10**6, by=by)


def test_it_ends_where_it_brings_too_much(repository, by, into):
    bare, commit = repository
    with (
        git_server.served(bare.parent) as address,
        pytest.raises(git.Unreachable, match="larger than the 0 MB that were expected"),
    ):
        git.fetch(f"{address}/photos.git", commit, into, most=5_000, by=by)


def test_it_ends_when_it_is_given_up_or_takes_too_long_with_all_it_started(repository, by, into):
    bare, commit = repository
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    for more, problem in (({"cancelled": lambda: True}, git.GivenUp), ({"seconds": 0.5}, git.Unreachable)):
        (folder := into / problem.__name__).mkdir()
        began = time.monotonic()
        with git_server.served(bare.parent, waits=threading.Event()) as address, pytest.raises(problem):
            git.fetch(f"{address}/photos.git", commit, folder, most=10**6, by=by, **more)
        assert time.monotonic() - began < 50, "it does not wait for the other end"
    left = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
    assert not [one for one in left if "git" in one.name() and "fetch" in " ".join(one.cmdline())]


def test_nobodys_configuration_is_read(repository, into, tmp_path, monkeypatch):
    """Not even one that leads elsewhere: addresses, hooks, filters, credentials."""
    bare, commit = repository
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text('[url "http://127.0.0.1:9/"]\ninsteadOf = http://127.0.0.1\n')
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.http://127.0.0.1:9/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "http://127.0.0.1")
    with git_server.served(bare.parent) as address:
        assert git.fetch(f"{address}/photos.git", commit, into, most=10**6, by=git.GIT).files()


def test_no_protocol_is_spoken_that_runs_programs_or_reads_the_disk(into):
    for address in ("ext::sh -c touch% hooked", "file:///etc", "/etc"):
        with pytest.raises(git.Unreachable, match="neither https:// nor http://"):
            git.fetch(address, "0" * 40, into, most=10**6, by=git.GIT)
    assert not (into / "hooked").exists()


def test_where_nothing_speaks_git_it_is_said_what_to_install(monkeypatch):
    git_server.without_git(monkeypatch)
    monkeypatch.setitem(sys.modules, "dulwich", None)
    monkeypatch.setattr(git.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(git.NoGit, match="install git, or pip install dulwich"):
        git.engine()
