"""What programs outside the repo rely on, frozen: a move of the house may not change a line of tests/golden/.

Where a change is meant, `FASHION_GOLDEN=write python -m pytest tests/test_golden.py` writes the files anew, and the
commit says why each line changed.
"""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "golden"


def held(name: str, found: object) -> None:
    """Compare with tests/golden/<name>.json."""
    file, text = GOLDEN / f"{name}.json", json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("FASHION_GOLDEN") == "write":
        file.write_text(text)
    assert json.loads(file.read_text()) == json.loads(text)


@pytest.fixture(scope="module")
def shipped_app(tmp_path_factory: pytest.TempPathFactory):
    """The app on what ships, with an empty home."""
    from dashboard.shell import create_app

    return create_app(home=tmp_path_factory.mktemp("golden-home"))


def test_the_routes(shipped_app):
    held(
        "url_map",
        sorted(f"{' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))} {rule}" for rule in
               shipped_app.server.url_map.iter_rules()),
    )  # fmt: skip


def test_the_callbacks(shipped_app):
    """Which component's property follows which: what a browser asks for."""
    listed = shipped_app.server.test_client().get("/_dash-dependencies").get_json()

    def named(parts: list[dict]) -> list[str]:
        return [f"{part['id']}.{part['property']}" for part in parts]

    held(
        "dependencies",
        sorted(
            (
                {
                    "output": one["output"],
                    "inputs": named(one["inputs"]),
                    "state": named(one["state"]),
                    "initial": not one["prevent_initial_call"],
                    "in_browser": bool(one["clientside_function"]),
                }
                for one in listed
            ),
            key=json.dumps,
        ),
    )


def test_the_address():
    """Names, order and defaults of the query."""
    from dashboard.state import query, selection

    names = {f.name: repr(f.default) for f in dataclasses.fields(selection.Selection) if f.name != "dropped"}
    held("selection", {"order": list(names), "defaults": names, "read": sorted(query.READERS)})


def test_the_heads_of_the_tables(shipped_app):
    """The first line of every CSV as the default run has it, or the status where that has nothing to put in."""
    client = shipped_app.server.test_client()
    found = {}
    for address in json.loads((GOLDEN / "csv_heads.json").read_text()):
        answer = client.get(address)
        found[address] = (
            answer.get_data(as_text=True).removeprefix("\ufeff").splitlines()[0]
            if answer.status_code == 200
            else answer.status_code
        )
    held("csv_heads", found)


def test_what_prometheus_reads(shipped_app):
    text = shipped_app.server.test_client().get("/metrics").get_data(as_text=True)
    held("metrics", sorted(line.removeprefix("# TYPE ") for line in text.splitlines() if line.startswith("# TYPE ")))


def test_the_artifacts():
    from ml.artifacts import schema

    held(
        "artifacts",
        {"readme": schema.readme().splitlines(), "index": json.loads((ROOT / "artifacts/index.json").read_text())},
    )


def test_the_folders_of_a_home(toy_home):
    """What a training leaves in FASHION_HOME, and every folder that the code names in it."""
    left = sorted(
        {
            str(path.relative_to(toy_home))
            for path in toy_home.rglob("*")
            if path.relative_to(toy_home).parts[0] in ("datasets", "runs")
        }
    )
    code = " ".join(path.read_text() for folder in ("ml", "dashboard") for path in (ROOT / folder).rglob("*.py"))
    named = sorted(set(re.findall(r"\bhome(?:_dir\(\))?\)? / \"([\w.-]+)\"", code)))
    held("home", {"after a training": left, "named": named})


def test_the_tables_of_the_database(tmp_path, monkeypatch):
    """Tables, their columns, and who migrates them how far."""
    import sqlalchemy

    from ml.system import database

    monkeypatch.delenv("FASHION_DB", raising=False)
    opened(tmp_path)
    engine = database.open_engine(tmp_path)
    inspector = sqlalchemy.inspect(engine)
    tables = {
        name: [f"{c['name']} {c['type']}{'' if c['nullable'] else ' not null'}" for c in inspector.get_columns(name)]
        for name in sorted(inspector.get_table_names())
    }
    with engine.connect() as connection:
        owners = connection.execute(
            sqlalchemy.text("select owner, max(number) from migrations group by owner order by owner")
        ).all()
    held("database", {"tables": tables, "steps": dict(map(tuple, owners))})


def opened(home: Path) -> None:
    """Make every owner of tables migrate its own."""
    from dashboard.shell import create_app

    client = create_app(home=home).server.test_client()
    for address in ("/health", "/metrics", "/export/decisions.csv", "/export/feedback.csv", "/export/monitoring.csv"):
        assert client.get(address).status_code == 200, address
    assert client.get("/api/v1/views").status_code == 200
    for search in ("?slice=saved-1",):
        client.get(f"/export/selection.csv{search}")


def test_the_queue_of_the_cluster():
    from ml.jobs import broker, cluster

    found = {
        "tasks": [name for name in cluster.app.tasks if not name.startswith(("celery.", "background_callback_"))],
        "names": [broker.TASK, broker.TRAIN, broker.OBSERVE],
        "routes": cluster.app.conf.task_routes,
        "default": cluster.app.conf.task_default_queue,
    }
    held("celery", found)


def options_of(parser: argparse.ArgumentParser) -> dict[str, object]:
    """Every option and every command below a command."""
    found: dict[str, object] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {name: options_of(below) for name, below in action.choices.items()}
        elif action.option_strings:
            found[" ".join(action.option_strings)] = sorted(map(str, action.choices or ()))
        else:
            found[action.dest.upper()] = sorted(map(str, action.choices or ()))
    return found


def test_the_command_line():
    from ml.__main__ import parser

    held("command_line", options_of(parser()))


def test_make():
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    held("make", sorted(targets))


def test_what_make_starts_keeps_what_it_compiles():
    """Whatever the shell says: of what pip puts down uncompiled, each process would compile two seconds' worth anew."""
    wanted = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    asked = "include Makefile\nshown: ; @env"
    make = ["make", "-f", "-", "shown"]
    shown = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True, input=asked, env=wanted).stdout
    assert "PATH=" in shown
    assert "PYTHONDONTWRITEBYTECODE" not in shown


def test_the_settings():
    """Every environment variable of ours that code or documents name."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    here = [name for name in listed if name.startswith(("ml/", "dashboard/", "docs/")) or "/" not in name]
    text = " ".join((ROOT / name).read_text(errors="replace") for name in here if (ROOT / name).is_file())
    found = set(re.findall(r"\bFASHION_[A-Z]+(?:_[A-Z]+)*\b(?!_)", text)) - {"FASHION_GOLDEN"}
    held("settings", sorted(found))


def test_importing_the_app_loads_nothing_heavy():
    """What is in memory after `import app`, of what is installed: packages alone, not their modules."""
    code = "import app, sys; print(*sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1:])))"
    heavy = ["torch", "torchvision", "sklearn", "scipy", "captum", "matplotlib", "openTSNE", "cleanlab", "onnxruntime",
             "cv2", "celery", "redis", "psycopg", "timm", "statsmodels", "mlflow"]  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    held("import_app", done.stdout.split())
