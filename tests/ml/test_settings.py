"""Environment variables: read when asked for, told in a sentence when wrong, each named in one place."""

import ast
from pathlib import Path

import pytest

from ml import settings
from ml.settings import Cluster, Limits, Listening, Proxies, Storage, Trainer, Worker, Workers

ROOT = Path(__file__).parents[2]


def test_the_environment_is_read_when_asked_for(monkeypatch):
    monkeypatch.delenv("FASHION_HOME", raising=False)
    assert Storage.read().home is None
    monkeypatch.setenv("FASHION_HOME", "/srv/x")
    assert Storage.read().home == Path("/srv/x")
    monkeypatch.setenv("FASHION_HOME", "")
    assert Storage.read().home is None


@pytest.mark.parametrize(
    ("group", "field", "name", "text", "value"),
    [
        (Listening, "read_only", "FASHION_READ_ONLY", "Yes", True),
        (Listening, "read_only", "FASHION_READ_ONLY", "", False),
        (Listening, "read_only", "FASHION_READ_ONLY", "no way", False),
        (Listening, "password", "FASHION_PASSWORD", " secret ", " secret "),
        (Listening, "frames", "FASHION_FRAMES", " https://a.example ", "https://a.example"),
        (Proxies, "count", "FASHION_PROXIES", " 2 ", 2),
        (Proxies, "count", "FASHION_PROXIES", "", 0),
        (Limits, "rate", "FASHION_LIMITS", " OFF", 0.0),
        (Limits, "rate", "FASHION_LIMITS", " ", None),
        (Workers, "slots", "FASHION_WORKERS", "", 1),
        (Worker, "idle", "FASHION_WORKER_IDLE", "2.5", 2.5),
        (Trainer, "memory", "FASHION_TRAIN_MEMORY_MB", "", None),
        (Trainer, "memory", "FASHION_TRAIN_MEMORY_MB", "900", 900),
        (Cluster, "broker", "CELERY_BROKER_URL", " rediss://x ", "rediss://x"),
        (Cluster, "pictures", "FASHION_SHARD", "", 2_000),
        (Cluster, "pictures", "FASHION_SHARD", " 500 ", 500),
    ],
)
def test_values(group, field, name, text, value, monkeypatch):
    monkeypatch.setenv(name, text)
    assert getattr(group.read(), field) == value


@pytest.mark.parametrize(
    ("group", "name", "text"),
    [
        (Proxies, "FASHION_PROXIES", "many"),
        (Limits, "FASHION_LIMITS", "nan"),
        (Workers, "FASHION_WORKERS", "65"),
        (Worker, "FASHION_WORKER_IDLE", "soon"),
        (Trainer, "FASHION_TRAIN_MEMORY_MB", "2.5"),
        (Cluster, "CELERY_BROKER_URL", "amqp://user:secret@host"),
        (Cluster, "FASHION_SHARD", "0"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence_and_keeps_nothing_else_from_running(group, name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match=f"^{name} .*[.]$") as wrong:
        group.read()
    assert "secret" not in str(wrong.value)
    assert Storage.read()


def test_the_table_of_the_documents_is_the_one_of_the_code():
    assert settings.table() in (ROOT / "docs" / "deploy.md").read_text(), f"docs/deploy.md lacks\n{settings.table()}"


WHOLE = (
    "os.environ.clear",
    "os.environ.update",
    "os.environ.copy",
    "os.environ.items",
)  # a whole environment that is handed on


def test_no_other_module_reads_the_environment():
    """But for whole environments that are handed on, and what torch, torchrun, OpenMP and arrow call their own."""
    torchs = {"THP_MEM_ALLOC_ENABLE"}
    theirs = {
        *torchs,
        "ARROW_DEFAULT_MEMORY_POOL",
        "KERAS_BACKEND",
        "OMP_WAIT_POLICY",
        "WORLD_SIZE",
        "RANK",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
    }
    for path in [ROOT / "app.py", *(ROOT / "ml").rglob("*.py"), *(ROOT / "dashboard").rglob("*.py")]:
        if path == ROOT / "ml" / "settings.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named = None
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called.startswith(("os.environ.", "os.getenv")) and called not in WHOLE:
                named = node.args[0]
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                named = node.slice
            if named is not None:
                assert isinstance(named, ast.Constant), f"{path}: {ast.unparse(node)}"
                assert named.value in theirs, f"{path}: {ast.unparse(node)}"
