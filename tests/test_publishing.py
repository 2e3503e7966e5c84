"""docs/publishing.md: every example as it stands there, on toy pictures, with the frameworks themselves."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ml.artifacts.reader import Library
from ml.artifacts.writer import write_pictures
from ml.data import synthetic
from ml.system.paths import ROOT

EXAMPLES = {  # first line of an example → its run, and how many epochs it told
    "# plain PyTorch": ("my-run", 3),
    "# PyTorch Lightning": ("my-lightning", 3),
    "# Hugging Face": ("my-trainer", 2),
    "# Keras": ("my-keras", 3),
    "# scikit-learn": ("my-forest", 0),
}
SETTINGS: dict[str, dict[str, object]] = {  # what of its settings is known without a word by the script, or by one
    "# plain PyTorch": {"learning_rate": 0.01, "batch_size": 64},
    "# PyTorch Lightning": {"learning_rate": 0.01, "optimiser": "Adam", "epochs": 3, "weight_decay": 0},
    "# Hugging Face": {"learning_rate": 0.01, "batch_size": 64, "epochs": 2, "seed": 42, "schedule": "linear"},
    "# Keras": {"optimiser": "Adam", "epochs": 3, "loss": "sparse_categorical_crossentropy"},
}
# All in one process, which loads torch once; what makes the run is this one too.
DRIVER = """
import json, os, pathlib, sys
from ml.system import torchvision_ops
torchvision_ops.declare()
from ml.telling import finish
from ml.telling.run import Run
home = pathlib.Path(os.environ["FASHION_HOME"])
Run._finish = lambda self: (0, [json.dumps(finish.finish(home, self.run_id))])
for code in json.loads(sys.argv[1]):
    exec(compile(code, code.splitlines()[0], "exec"), {"__name__": "example"})
    print("done:", code.splitlines()[0], flush=True)
"""


def examples() -> dict[str, str]:
    text = (ROOT / "docs" / "publishing.md").read_text()
    return {code.splitlines()[0]: code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, str]:
    """A home after all examples, and what they printed."""
    home = tmp_path_factory.mktemp("home")
    toy = synthetic.load("synthetic-3-28x28x1", train=150, validation=60, test=45)
    write_pictures(home, dataclasses.replace(toy, name="pets", title="Pets"), complete=True)
    codes = [examples()[name] for name in EXAMPLES]
    environment = {**os.environ, "FASHION_HOME": str(home), "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", DRIVER, json.dumps(codes)]
    # transformers takes a folder `datasets` beside it for the library of that name
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run = subprocess.run(
        command,
        cwd=elsewhere,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    return home, run.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_publishes_what_it_says(made, name):
    home, printed = made
    run_id, epochs = EXAMPLES[name]
    assert f"done: {name}" in printed
    run = Library(home / "none", home).open(run_id)
    manifest = run.manifest
    assert (manifest["kind"], manifest["dataset"]["name"]) == ("recorded", "pets")
    result = manifest["results"]["validation"]
    assert result["n"] == 60
    if not epochs:
        assert "history" not in run.nouns
        assert result["correct"] > 50
        return
    history = run.table("history")
    assert history["epoch"].tolist() == [*range(1, epochs + 1)]
    assert history[["train_loss", "validation_loss", "validation_accuracy", "learning_rate"]].notna().all(axis=None)
    if manifest["best_epoch"]:  # what the framework measured is what was counted here
        assert history["validation_accuracy"].iloc[-1] == pytest.approx(result["correct"] / result["n"], abs=1e-6)
    assert run.arrays("epochs")["right_epoch"].tolist() == [*range(1, epochs + 1)]
    assert manifest.get("settings", {}).items() >= SETTINGS[name].items()
    assert result["correct"] / result["n"] > (0.3 if name == "# Hugging Face" else 0.8)


def test_no_example_is_left_out():
    runnable = {name for name in examples() if name.startswith("# ")}
    assert runnable == {*EXAMPLES}
