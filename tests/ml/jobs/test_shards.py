"""Shards of a job: each is done by one process at a time, and what the dead had in hand another one does."""

import contextlib
import subprocess
import sys

import pytest

from ml.jobs import shards
from ml.jobs.liveness import Watch
from ml.jobs.queue import Lost
from ml.jobs.shards import ShardTable, Sharing, help_with, sweep

SPEC = {"source": "/pets", "choices": {}, "title": "", "description": "", "new_version": False, "shown": "pets"}


class Work:
    """Shards of which each is a file with its number."""

    def __init__(self, folder, n=4, name="pets", last=()):
        self.folder, self.n, self.name = folder / name, n, name
        self.did, self.told, self._last = [], [], last

    def do(self, number):
        self.did.append(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / str(number)).write_text("")

    def there(self, number):
        return (self.folder / str(number)).is_file()

    def last(self, number):
        assert self.there(number)
        return number in self._last

    def tell(self, done):
        self.told.append(done)


@pytest.fixture
def job(table):
    table.submit(SPEC, "pets", epochs=0, kind="import")
    return table.claim("import")


@pytest.fixture
def share(table, job):
    with Sharing(table, job) as made:
        yield made


def test_alone_it_does_all_of_them_in_order(table, job):
    work = Work(table.partial(job))
    with Sharing(table, job) as share:
        share(work)
    assert work.did == [0, 1, 2, 3]
    assert work.told == [1, 2, 3, 4]
    assert not table.partial(job).exists()
    (said,) = [event["cause"] for event in table.events(job.id) if event["event"] == "shards"]
    assert said.startswith("4 shards: 4 by ")
    assert "again" not in said


def test_what_an_earlier_attempt_did_is_not_done_again(table, job, share):
    work = Work(share.folder)
    for number in (0, 2):
        work.do(number)
    share(work)
    assert work.did == [0, 2, 1, 3]
    (share.folder / "pets" / "1").unlink()
    share(work)
    assert work.did[4:] == [1], "the file says what is done, whatever the table says"


def test_none_behind_the_last_that_is_needed_is_done(share):
    work = Work(share.folder, 9, last=(3, 5))
    share(work)
    assert work.did == [0, 1, 2, 3]


def test_helpers_and_the_job_have_different_ones(table, job, share):
    work, theirs = Work(share.folder), ShardTable(table)
    theirs.lay_out(job, work)
    assert theirs.inviting() == [job.id]
    claim = theirs.claim(job.id, own=False)
    assert (claim.number, claim.work) == (0, "pets")
    assert theirs.claim(job.id, own=False).number == 1
    theirs.give_up(claim, home=True)
    assert theirs.claim(job.id, own=False).number == 2, "what is not there for one helper is not for others"
    assert theirs.claim(job.id, own=True).number == 0
    with pytest.raises(Lost):
        theirs.beat(claim)
    assert theirs.claim(job.id, own=False).number == 3
    assert theirs.inviting() == []
    assert theirs.claim(job.id, own=False) is None


def test_what_the_dead_had_is_done_by_another(table, job, share):
    work, theirs = Work(share.folder), ShardTable(table)
    theirs.lay_out(job, work)
    helper = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom pathlib import Path\nfrom ml.jobs.queue import JobTable\n"
         "from ml.jobs.shards import ShardTable\n"
         "ShardTable(JobTable(Path(sys.argv[1]))).claim(sys.argv[2], own=False)", str(table.home), job.id], timeout=60,
    )  # fmt: skip
    assert helper.returncode == 0
    share(work)
    assert sorted(work.did) == [0, 1, 2, 3]
    (lost,) = [event["cause"] for event in table.events(job.id) if event["event"] == "shard"]
    assert lost == "shard 0: its process ended; another one does it"
    theirs.forget(job)
    assert table.events(job.id)[-1]["cause"].endswith("; done again: 0")


def test_a_silent_one_loses_its_shard_and_one_that_beats_does_not(table, job, share, monkeypatch):
    theirs, watch = ShardTable(table), Watch(5)
    theirs.lay_out(job, Work(share.folder))
    beating, silent = theirs.claim(job.id, own=False), theirs.claim(job.id, own=False)
    now = [100.0]
    monkeypatch.setattr("ml.jobs.liveness.time.monotonic", lambda: now[0])
    assert theirs.take_back(job, watch) == []
    for _ in range(3):
        now[0] += 2
        theirs.beat(beating)
        taken = theirs.take_back(job, watch)
    assert taken == [silent.number]
    with pytest.raises(Lost):
        theirs.done(silent)
    theirs.done(beating)


@contextlib.contextmanager
def opened(share, name):
    yield Work(share, name=name)


def test_who_helps_does_what_nobody_does_and_leaves(table, job, share, monkeypatch):
    theirs = ShardTable(table)
    work = Work(share.folder)
    theirs.lay_out(job, work)
    own = theirs.claim(job.id, own=True)
    assert help_with(job.id, opened, table.home) == 0
    assert [work.there(number) for number in range(4)] == [False, True, True, True]
    theirs.give_up(own)
    share(work)
    assert work.did == [0]


def test_who_helps_leaves_for_a_training_that_waits(table, job, share):
    ShardTable(table).lay_out(job, Work(share.folder))
    table.submit({}, "people", epochs=1)
    assert help_with(job.id, opened, table.home) == 0
    assert [Work(share.folder).there(number) for number in range(4)] == [True, False, False, False]


def test_who_cannot_help_leaves_it_to_the_job(table, job, share, capsys):
    @contextlib.contextmanager
    def broken(folder, name):
        work = Work(folder, name=name)
        work.do = lambda number: 1 / 0
        yield work

    work = Work(share.folder)
    ShardTable(table).lay_out(job, work)
    assert help_with(job.id, broken, table.home) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    share(work)
    assert work.did == [0, 1, 2, 3]


def test_what_goes_wrong_in_a_shard_ends_the_job_and_leaves_nothing(table, job):
    work = Work(table.partial(job))
    work.do = lambda number: 1 / 0
    with pytest.raises(ZeroDivisionError), Sharing(table, job) as share:
        share(work)
    assert ShardTable(table).inviting() == []
    assert not table.partial(job).exists()


def test_shards_of_jobs_that_are_over_are_swept_and_others_are_not(table, job):
    Work(table.partial(job)).do(0)
    sweep(table)
    assert table.partial(job).exists()
    table.finish(job, "interrupted", "killed")
    sweep(table)
    assert table.partial(job).exists(), "it can be resumed"
    table.discard(job.id)
    assert not table.partial(job).exists()
    Work(table.home / "shards" / "unknown").do(0)
    sweep(table)
    assert not [*(table.home / "shards").iterdir()]


def test_only_a_job_of_a_cluster_is_shared(table, job, monkeypatch):
    monkeypatch.setenv("FASHION_LEASE", job.lease)
    with shards.sharing(table.home) as share:
        assert share is None
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    with shards.sharing(table.home) as share:
        assert share.folder == table.partial(job)
    monkeypatch.setenv("FASHION_LEASE", "")
    with shards.sharing(table.home) as share:
        assert share is None, "an import that a person started"
