"""The tables of the jobs, the migrations that make them, and what one row says.

queued → running → done | failed | cancelled | interrupted; interrupted and failed → queued when resumed.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from ml.people.acting import WHO

ACTIVE = ("queued", "running")
RESUMABLE = ("interrupted", "failed")
ENDED = ("done", "failed", "cancelled", "interrupted")
STATES = (*ACTIVE, *ENDED)
PROCESS = ("host", "pid", "pid_started", "boot")  # who works on a job, or is a worker
# a training, the fetching of a data set, what a published run lacks, a data set and a run made of what somebody brought
KINDS = ("train", "data", "evaluate", "import", "add")
PUBLISHING = ("train", "add")  # kinds that make a run of their name
# a training that a script of somebody's own tells of (ml.jobs.scripts): a row that nobody claims, stops or resumes here
SCRIPT = "script"
SHOWN = ("train", SCRIPT)  # what the Training page shows


@dataclass(frozen=True)
class Job:
    """One row. Times are seconds since 1970; batch and batches count steps of the whole training.

    beat: counts signs of life; stage: what the process does just now, in words; left: seconds of
    training to come; speed: training images per second; cause: why it ended, in words; pid_started, boot: as
    `processes.this_process` has them; who: asked for it, '' where nobody had a name.
    """

    number: int
    id: str
    kind: str
    run_id: str
    spec: dict[str, Any]
    state: str
    attempt: int
    epoch: int
    epochs: int
    batch: int
    batches: int
    cancel: bool
    lease: str | None
    host: str | None
    pid: int | None
    pid_started: float | None
    boot: str | None
    beat: int
    stage: str
    left: float | None
    speed: float | None
    created: float
    started: float | None
    finished: float | None
    cause: str
    who: str = ""

    @property
    def active(self) -> bool:
        return self.state in ACTIVE


def _schema_1(dialect: str = "sqlite") -> tuple[Table, Table, Table, MetaData]:
    """The tables as the first migration makes them. A later version writes its own function and leaves this one.

    dialect: of SQLAlchemy; to name another than is in use would load it, 4 MB of PostgreSQL's.
    """
    metadata = MetaData()
    jobs = Table(
        "jobs",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the queue's order: clocks may step back
        Column("id", String(32), nullable=False, unique=True),
        Column("kind", String(16), nullable=False),
        Column("run_id", String(64), nullable=False),
        Column("spec", JSON, nullable=False),
        Column("state", String(16), CheckConstraint(f"state IN {STATES}"), nullable=False),
        Column("slot", Integer),
        Column("attempt", Integer, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("epochs", Integer, nullable=False),
        Column("batch", Integer, nullable=False),
        Column("batches", Integer, nullable=False),
        Column("cancel", Boolean, nullable=False),
        Column("intent", String(64), unique=True),
        Column("lease", String(32)),
        Column("host", String(255)),
        Column("pid", Integer),
        Column("pid_started", Float),
        Column("beat", Integer, nullable=False),
        Column("stage", String(80), nullable=False),
        Column("left", Float),
        Column("speed", Float),
        Column("created", Float, nullable=False),
        Column("started", Float),
        Column("finished", Float),
        Column("cause", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    running, holds_name = jobs.c.state == "running", (jobs.c.kind == "train") & (jobs.c.state != "cancelled")

    def of_rows(condition: Any) -> dict[str, Any]:
        return {f"{dialect}_where": condition}

    Index("jobs_running", jobs.c.kind, jobs.c.slot, unique=True, **of_rows(running))
    Index("jobs_name", jobs.c.run_id, unique=True, **of_rows(holds_name))
    epochs = Table(
        "job_epochs",
        metadata,
        Column("job", String(32), ForeignKey("jobs.id"), primary_key=True),
        Column("epoch", Integer, primary_key=True),
        *(
            Column(name, Float, nullable=False)
            for name in (
                "train_loss",
                "train_accuracy",
                "validation_loss",
                "validation_accuracy",
                "learning_rate",
                "seconds",
                "images_per_second",
            )
        ),
    )
    workers = Table(
        "workers",
        metadata,
        Column("id", String(32), primary_key=True),
        Column("host", String(255), nullable=False),
        Column("pid", Integer, nullable=False),
        Column("pid_started", Float, nullable=False),
        Column("beat", Integer, nullable=False),
        Column("started", Float, nullable=False),
    )
    return jobs, epochs, workers, metadata


jobs, epochs, workers, _metadata = _schema_1()


def _schema_2() -> tuple[Table, MetaData]:
    """Measures within the epochs."""
    metadata = MetaData()
    steps = Table(
        "job_steps",
        metadata,
        Column("job", String(32), primary_key=True),
        Column("batch", Integer, primary_key=True, autoincrement=False),
        *(Column(name, Float, nullable=False) for name in ("loss", "accuracy", "learning_rate", "images_per_second")),
    )
    return steps, metadata


steps, _ = _schema_2()


def _schema_3() -> tuple[Table, MetaData]:
    """What happened to a job: each change of its state, and which process took an attempt on."""
    metadata = MetaData()
    events = Table(
        "job_events",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("job", String(32), nullable=False, index=True),
        Column("attempt", Integer, nullable=False),
        Column("event", String(16), nullable=False),
        Column("lease", String(32)),
        Column("host", String(255)),
        Column("pid", Integer),
        Column("cause", Text, nullable=False),
        Column("time", Float, nullable=False),
        sqlite_autoincrement=True,
    )
    return events, metadata


events, _ = _schema_3()


def _step_1(connection: Connection) -> None:
    _schema_1(connection.dialect.name)[-1].create_all(connection)


def _step_2(connection: Connection) -> None:
    _schema_2()[-1].create_all(connection)


def _step_3(connection: Connection) -> None:
    _schema_3()[-1].create_all(connection)


def _boot() -> Column:
    return Column("boot", String(64))  # NULL where it was written by a version before


def _step_4(connection: Connection) -> None:
    """Which start of the machine a process's start is counted from."""
    for table in ("jobs", "workers"):
        kind = _boot().type.compile(connection.dialect)
        connection.execute(DDL(f"ALTER TABLE {table} ADD COLUMN boot {kind}"))


def _schema_6() -> tuple[Table, MetaData]:
    """Shards of a job whose work several processes do: who does which, and which are done."""
    metadata = MetaData()
    shards = Table(
        "job_shards",
        metadata,
        Column("job", String(32), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("work", String(32), nullable=False),  # what the shards are of
        Column("done", Boolean, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("home", Boolean, nullable=False),  # whether none but the job's own process can do it
        Column("lease", String(32)),
        Column("host", String(255)),
        Column("pid", Integer),
        Column("pid_started", Float),
        Column("boot", String(64)),
        Column("beat", Integer, nullable=False),
    )
    return shards, metadata


shards, _ = _schema_6()


def _schema_7() -> tuple[Table, MetaData]:
    """What scripts tell of their epochs: the measures each of them has."""
    metadata = MetaData()
    told = Table(
        "job_told",
        metadata,
        Column("job", String(32), primary_key=True),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("measures", JSON, nullable=False),
    )
    return told, metadata


told, _ = _schema_7()


def _who() -> Column:
    return Column("who", String(WHO), nullable=False, server_default="")


def _step_5(connection: Connection) -> None:
    """Who asked for a job, and who did what with it."""
    for table in ("jobs", "job_events"):
        connection.execute(DDL(f"ALTER TABLE {table} ADD COLUMN who VARCHAR({WHO}) NOT NULL DEFAULT ''"))


def _step_6(connection: Connection) -> None:
    _schema_6()[-1].create_all(connection)


def _step_7(connection: Connection) -> None:
    _schema_7()[-1].create_all(connection)


for table in (jobs, workers):
    table.append_column(_boot())
for table in (jobs, events):
    table.append_column(_who())

MIGRATIONS = (_step_1, _step_2, _step_3, _step_4, _step_5, _step_6, _step_7)
COLUMNS = [jobs.c[name] for name in Job.__dataclass_fields__]
