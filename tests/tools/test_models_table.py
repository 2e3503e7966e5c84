"""docs/models.md comes from trainings that happened, and its commands are the ones that made them."""

import runpy
import shlex
from pathlib import Path

import pytest

from ml import __main__ as cli
from ml.artifacts.reader import Library
from ml.models import MODELS
from ml.training.config import TrainConfig
from ml.training.presets import PRESETS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(ROOT / "tools" / "models_table.py"))


def test_each_recipe_is_long_enough_and_its_command_means_the_same(tool):
    for model in MODELS:
        recipe = tool["RECIPES"][model]
        config = tool["config"](recipe)
        assert config.model == model
        assert config.epochs >= 3
        assert config.train_images >= 10_000
        words = shlex.split(tool["command"](model, recipe))
        assert words[:3] == ["python", "-m", "ml"]
        options = cli.parser().parse_args(words[3:])
        given = {name: value for name, value in vars(options).items() if name in TrainConfig.model_fields}
        assert TrainConfig(**{**PRESETS.get(options.preset, {}), **given}) == config
        assert options.run == f"models-{model}"


def test_a_row_says_what_the_manifest_says(tool, toy_home):
    run = Library(toy_home, toy_home).open("toy")
    cells = [cell.strip() for cell in tool["row"]("compact_cnn", run).strip("|").split("|")]
    m = run.manifest
    right = m["results"]["test"]["correct"]
    assert cells[:3] == ["`compact_cnn`", f"{m['parameters']:,}", "600 × 2"]
    assert cells[5].startswith(f"**{right / 4:.2f} %** (")
    assert cells[5].endswith("n 400)")
    assert cells[8] == f"{(toy_home / 'runs' / 'toy' / 'weights.safetensors').stat().st_size / 1e6:.1f} MB"
    assert len(cells) == 1 + len(tool["COLUMNS"])


def test_the_page_names_what_is_missing_and_every_command(tool, toy_home):
    run = Library(toy_home, toy_home).open("toy")
    page = tool["page"]({"compact_cnn": run}, [run])
    assert "Not trained yet: " in page
    missing = page.split("Not trained yet: ")[1].splitlines()[0]
    assert "`resnet18`" in missing
    assert "`compact_cnn`" not in missing
    assert page.count("python -m ml train") == len(MODELS)
    assert page.count("| `toy` |") == 1


def test_trains_what_is_missing_and_only_that(tool, tmp_path, monkeypatch, capsys):
    asked = []

    def trained(command, **_):
        asked.append(command[command.index("--one") + 1])

    monkeypatch.setattr(tool["subprocess"], "run", trained)
    monkeypatch.setitem(tool["main"].__globals__, "found", lambda home: {"mlp": None})
    monkeypatch.setitem(tool["main"].__globals__, "page", lambda runs, ships: "page")
    assert tool["main"](
        ["--train", "--only", "mlp", "compact_cnn", "--home", str(tmp_path), "--to", str(tmp_path / "m.md")]
    )
    assert asked == ["compact_cnn"]
    assert (tmp_path / "m.md").read_text() == "page"
    assert "missing: resnet18" in capsys.readouterr().out


def test_without_a_trained_run_the_page_stays(tool, tmp_path, capsys):
    (tmp_path / "m.md").write_text("measured")
    with pytest.raises(SystemExit):
        tool["main"](["--home", str(tmp_path), "--to", str(tmp_path / "m.md")])
    assert (tmp_path / "m.md").read_text() == "measured"
    assert "--train makes them" in capsys.readouterr().err


def test_one_training_is_published_by_its_command(tool, tmp_path, monkeypatch):
    recipe = {"model": "mlp", "dataset": "synthetic-4-28x28x1", "epochs": 1, "batch_size": 64}
    monkeypatch.setitem(tool["RECIPES"], "mlp", recipe)
    tool["train"]("mlp", tmp_path)
    run = Library(tmp_path, tmp_path).open("models-mlp")
    assert run.manifest["command"] == (
        "python -m ml train --model mlp --dataset synthetic-4-28x28x1 --epochs 1 --batch-size 64 --run models-mlp"
    )
    assert tool["speed"](run) == run.table("history")["images_per_second"].iloc[0]


def test_what_ships_names_the_run_of_another_data_set(tool):
    page = tool["page"]({}, tool["shipped"]())
    assert page.count("| `clothing_photos` |") == 1
    assert "`clothing_photos` (`efficientnet_lite2`) learned from another data set, Clothing photos" in page
    assert page.count("learned from another data set") == 1
