"""Every environment variable that the app reads: its name, type, default and meaning, once.

`Storage.read()` and its like read the environment as it is at that moment, one subject at a time: a wrong value is
told where it matters, as a ValueError in a sentence, and keeps nothing else from running. docs/deploy.md's table is
`table()`.
"""

import functools
import ipaddress
import math
import os
import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST_WORKERS = 64
YES = ("1", "true", "yes", "on")
SEGMENT = r"(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~@:+,=-]|%[0-9A-Fa-f]{2})+"
PREFIX = re.compile(rf"(?:/{SEGMENT})+")
LONGEST_PREFIX = 1_000


def _stripped(text: str) -> str:
    return text.strip()


def _yes(text: str | bool) -> bool:
    return text if isinstance(text, bool) else text.lower() in YES


def _folder(text: str | Path | None) -> Path | None:
    return Path(text) if text else None


def _workers(text: str) -> int:
    text = text.strip() or "1"
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_WORKERS:
        raise ValueError(
            f"FASHION_WORKERS is how many trainings run at a time on this machine: "
            f"a whole number from 1 to {MOST_WORKERS}, not {text[:40]!r}."
        )
    return int(text)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"FASHION_WORKER_IDLE is a number of seconds, not {text[:40]!r}.") from None


def _patience(text: str) -> float:
    try:
        seconds = float(text.strip() or "1.5")
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 60:
        raise ValueError(f"FASHION_BROKER_SECONDS is a number of seconds from 0.1 to 60, not {text[:40]!r}.")
    return seconds


def _pictures(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text := text.strip() or "2000"):
        raise ValueError(f"FASHION_SHARD is a number of pictures from 1 to 999,999, not {text[:40]!r}.")
    return int(text)


def _megabytes(text: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        raise ValueError(f"FASHION_TRAIN_MEMORY_MB is a whole number of megabytes, not {text[:40]!r}.") from None


def _gigabytes(text: str) -> int:
    try:
        size = float(text.strip() or "20")
    except ValueError:
        size = math.nan
    if not 0 <= size <= 100_000:
        raise ValueError(f"FASHION_UPLOAD_GB is a number of gigabytes, not {text[:40]!r}.")
    return int(size * 10**9)


def _maybe(text: str | None) -> bool | None:
    return _yes(text.strip()) if text and text.strip() else None


def _proxies(text: str) -> int:
    text = text.strip() or "0"
    if not re.fullmatch(r"[0-9]", text):
        raise ValueError(f"FASHION_PROXIES is {text[:20]!r}: it must be the number of proxies before the app, 0 to 9.")
    return int(text)


def checked_prefix(text: str) -> str:
    """A prefix without its last slash, "" for none. Raises ValueError where it is not a path like /fashion."""
    text = text.strip().rstrip("/")
    if text and not (len(text) <= LONGEST_PREFIX and PREFIX.fullmatch(text)):
        raise ValueError(
            f"FASHION_PREFIX is {text[:40]!r}: it must be the path at which people reach the app, as in /fashion."
        )
    return text


def _rate(text: str) -> float | None:
    text = text.strip().lower()
    if not text:
        return None
    if text == "off":
        return 0.0
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0.1 <= rate <= 100_000:
        raise ValueError(f"FASHION_LIMITS is {text[:40]!r}: it must be predictions a second for each client, or off.")
    return rate


def _broker(text: str) -> str:
    text = text.strip()
    if text and not text.startswith(("redis://", "rediss://")):
        raise ValueError("CELERY_BROKER_URL must begin with redis:// or rediss://.")
    return text


def _header(text: str) -> str:
    text = text.strip()
    if text and not re.fullmatch(r"[A-Za-z0-9-]{1,60}", text):
        raise ValueError(f"FASHION_USER_HEADER is {text[:40]!r}: it must be a header's name, as in X-Forwarded-Email.")
    return text


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip())
    except ValueError:
        raise ValueError(
            f"FASHION_USER_PROXIES is {text[:40]!r}: it must be IP addresses or networks, commas between."
        ) from None


def _role(text: str) -> str:
    text = text.strip().lower() or "look"
    if text not in ("look", "review", "train", "own"):
        raise ValueError(f"FASHION_USER_ROLE is {text[:40]!r}: it must be look, review, train or own.")
    return text


Text = Annotated[str, BeforeValidator(_stripped)]
Folder = Annotated[Path | None, BeforeValidator(_folder)]


class Group(BaseSettings):
    """Variables of one subject. A field's alias is its variable's name."""

    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", frozen=True, validate_default=False)

    @classmethod
    def read(cls) -> Self:
        """From the environment as it is now. Raises ValueError, in words."""
        return _read(cls, tuple(os.environ.get(name) for name in cls.variables()))

    @classmethod
    @functools.cache
    def variables(cls) -> tuple[str, ...]:
        """Names of environment variables, in order."""
        return tuple(str(field.validation_alias) for field in cls.model_fields.values())


@functools.lru_cache(maxsize=64)  # a server asks for its password with every request
def _read(group: type[Group], values: tuple[str | None, ...]) -> Any:
    try:
        return group()
    except ValidationError as wrong:
        problem = wrong.errors(include_url=False)[0]
        raise ValueError(str(problem.get("ctx", {}).get("error", problem["msg"]))) from None


class Listening(Group):
    """Where the server listens, and who may reach it."""

    host: str = Field(
        "", validation_alias="HOST", description="the address to listen on, as `--host`; 127.0.0.1 when unset"
    )
    port: str = Field("", validation_alias="PORT", description="the port to listen on, as `--port`; 8050 when unset")
    read_only: Annotated[bool, BeforeValidator(_yes)] = Field(
        False,
        validation_alias="FASHION_READ_ONLY",
        description="`1`, as `--read-only`: look and predict; nothing is trained, nothing is kept",
    )
    password: str = Field(
        "",
        validation_alias="FASHION_PASSWORD",
        description="the password (HTTP Basic). Put TLS in front: Basic sends it with every request",
    )
    hosts: str = Field(
        "",
        validation_alias="FASHION_HOSTS",
        description="the names under which people reach the app, separated by commas, each with or without a port. A "
        "request that names another host gets status 400: so no web page can steer the app through a name that points "
        "at your machine. `localhost`, loopback addresses and the names that Render, Heroku and Hugging Face announce "
        "are accepted without it; on an open address, bare IP addresses too",
    )
    frames: Text = Field(
        "",
        validation_alias="FASHION_FRAMES",
        description="read-only only: the sites that may show the app in a frame, as in `https://huggingface.co`. None "
        "otherwise",
    )
    space: str = Field("", validation_alias="SPACE_HOST", description="announced by Hugging Face")
    render: str = Field("", validation_alias="RENDER_EXTERNAL_HOSTNAME", description="announced by Render")
    heroku: str = Field("", validation_alias="HEROKU_APP_DEFAULT_DOMAIN_NAME", description="announced by Heroku")


class Proxies(Group):
    """What stands before the server."""

    count: Annotated[int, BeforeValidator(_proxies)] = Field(
        0,
        validation_alias="FASHION_PROXIES",
        description="how many proxies of yours stand before the app; as many values of `X-Forwarded-For`, `-Host`, "
        "`-Proto` and `-Prefix` are believed. 0 when unset: none",
    )
    prefix: Annotated[str, BeforeValidator(checked_prefix)] = Field(
        "",
        validation_alias="FASHION_PREFIX",
        description="the path at which people reach the app through a proxy, as in `/fashion`; see "
        "[below](#beneath-a-path)",
    )
    hub: str = Field("", validation_alias="JUPYTERHUB_SERVICE_PREFIX", description="said by JupyterHub, for notebooks")
    public: str = Field("", validation_alias="JUPYTERHUB_PUBLIC_URL", description="said by JupyterHub, for notebooks")


class People(Group):
    """Who names the people that a proxy lets through."""

    header: Annotated[str, BeforeValidator(_header)] = Field(
        "",
        validation_alias="FASHION_USER_HEADER",
        description="the header in which a proxy that signs people in names them, as in `X-Forwarded-Email`; see "
        "[people.md](people.md). Unset: none is believed",
    )
    proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (),
        validation_alias="FASHION_USER_PROXIES",
        description="the addresses that this proxy asks from, commas between, as in `127.0.0.1, 10.0.0.0/24`; from no "
        "other one is the header believed",
    )
    role: Annotated[str, BeforeValidator(_role)] = Field(
        "look",
        validation_alias="FASHION_USER_ROLE",
        description="what those may do whom the proxy names and who have no account here: look (unless set), review, "
        "train or own",
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if self.header and not self.proxies:
            raise ValueError("FASHION_USER_HEADER needs FASHION_USER_PROXIES: the addresses that may send it.")
        return self


class Limits(Group):
    """How much one client may ask of the API."""

    rate: Annotated[float | None, BeforeValidator(_rate)] = Field(
        None,
        validation_alias="FASHION_LIMITS",
        description="predictions a second that one client may ask of the API, or `off`; 20 when unset, see "
        "[api.md](api.md)",
    )


class Storage(Group):
    """Where things are kept."""

    home: Folder = Field(
        None,
        validation_alias="FASHION_HOME",
        description="the folder of user-made runs and the database; the platform's user data folder when unset. Mount "
        "a disk there if trainings are to outlive the container",
    )
    database: str = Field(
        "",
        validation_alias="FASHION_DB",
        description="another database, as an SQLAlchemy address; an SQLite file in `FASHION_HOME` when unset",
    )
    data: Folder = Field(
        None, validation_alias="FASHION_DATA_DIR", description="the folder of Fashion-MNIST's files, unless installed"
    )
    made: Folder = Field(
        None, validation_alias="FASHION_CACHE", description="the folder of what can be worked out again, up to 256 MB"
    )


class Uploads(Group):
    """What may be brought to be imported."""

    bytes: Annotated[int, BeforeValidator(_gigabytes)] = Field(
        20 * 10**9,
        validation_alias="FASHION_UPLOAD_GB",
        description="gigabytes of files that may lie in `FASHION_HOME/uploads`, from which data sets were imported in "
        "the browser; 20 when unset, 0 for none",
    )
    paths: Annotated[bool | None, BeforeValidator(_maybe)] = Field(
        None,
        validation_alias="FASHION_IMPORT_PATHS",
        description="`1` or `0`: whether the Data page takes paths on the server's own disk. Unset: where the server "
        "listens on this machine alone and has no password",
    )


class Workers(Group):
    """How many trainings run at a time."""

    slots: Annotated[int, BeforeValidator(_workers)] = Field(
        1,
        validation_alias="FASHION_WORKERS",
        description=f"how many trainings run at a time on this machine, 1 to {MOST_WORKERS}; 1 when unset",
    )


class Worker(Group):
    """How long a worker stays."""

    idle: Annotated[float, BeforeValidator(_seconds)] = Field(
        30.0,
        validation_alias="FASHION_WORKER_IDLE",
        description="seconds after which the training worker leaves when nothing waits; 30 when unset",
    )


class Trainer(Group):
    """What a training may take."""

    memory: Annotated[int | None, BeforeValidator(_megabytes)] = Field(
        None,
        validation_alias="FASHION_TRAIN_MEMORY_MB",
        description="a training that needs more megabytes of address space fails with a sentence; no limit when unset",
    )


class Attempt(Group):
    """Which attempt at a job a process is."""

    lease: str = Field("", validation_alias="FASHION_LEASE", description="set by a worker for its trainers")


class Cluster(Group):
    """Trainings on several machines."""

    broker: Annotated[str, BeforeValidator(_broker)] = Field(
        "",
        validation_alias="CELERY_BROKER_URL",
        description="the Redis of a cluster: see [cluster.md](cluster.md). `/health` then has `broker` as well",
    )
    backend: str = Field(
        "",
        validation_alias="CELERY_RESULT_BACKEND",
        description="where background callbacks leave their answers; the same Redis when unset",
    )
    seconds: Annotated[float, BeforeValidator(_patience)] = Field(
        1.5,
        validation_alias="FASHION_BROKER_SECONDS",
        description="how long Redis may take to connect or to answer before it counts as away; 1.5 when unset",
    )
    pictures: Annotated[int, BeforeValidator(_pictures)] = Field(
        2_000, validation_alias="FASHION_SHARD", description="pictures in a shard of an import; 2,000 when unset"
    )


class Tracking(Group):
    """An MLflow server that is told of published runs, by the names that MLflow's own clients read."""

    uri: Text = Field(
        "", validation_alias="MLFLOW_TRACKING_URI", description="an MLflow server to log runs on, see [runs](runs.md)"
    )
    experiment: str = Field("", validation_alias="MLFLOW_EXPERIMENT_NAME", description="the experiment there")
    user: str | None = Field(None, validation_alias="MLFLOW_TRACKING_USERNAME", description="who logs in there")
    password: str | None = Field(None, validation_alias="MLFLOW_TRACKING_PASSWORD", description="with this password")
    token: str = Field("", validation_alias="MLFLOW_TRACKING_TOKEN", description="or with this token")


DOCUMENTED = (Listening, Proxies, People, Limits, Storage, Uploads, Workers, Worker, Trainer, Cluster, Tracking)


def table() -> str:
    """A Markdown table of all variables for people."""
    lines = ["| setting | meaning |", "|---|---|"]
    for group in DOCUMENTED:
        for field in group.model_fields.values():
            lines.append(f"| `{field.validation_alias}` | {field.description} |")
    return "\n".join(lines)
