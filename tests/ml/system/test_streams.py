"""Text that is written, read and printed is UTF-8 and says so: no locale or code page has a part in it."""

import ast
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml import __main__ as cli

ROOT = Path(__file__).parents[3]
SOURCES = [*(ROOT / "ml").rglob("*.py"), *(ROOT / "dashboard").rglob("*.py"), *(ROOT / "fashion_forward").rglob("*.py")]


@pytest.mark.parametrize("page", ["cp1252", "ascii"])
def test_names_in_any_script_are_printed_under_any_code_page(tmp_path, monkeypatch, page):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    for name in ("кепка", "Čapka"):
        (tmp_path / "hats" / name).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(tmp_path / "hats" / name / f"{i}.png")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=page))
    assert cli.main(["data", "import", str(tmp_path / "hats"), "--name", "hats", "--json"]) == 0
    sys.stdout.flush()
    assert json.loads(printed.getvalue().decode().splitlines()[-1])["classes"] == ["Čapka", "кепка"]


def test_every_text_file_names_its_encoding():
    bare = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = {keyword.arg for keyword in node.keywords}
            text = name in ("read_text", "write_text") or (name in ("run", "Popen") and "text" in given)
            if text and "encoding" not in given:
                bare.append(f"{source.relative_to(ROOT)}:{node.lineno}")
    assert not bare
