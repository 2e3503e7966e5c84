"""One network in every form that torch gives it: each is the same run."""

import numpy as np
import pytest
import torch

from ml.__main__ import main
from ml.artifacts.reader import Library
from tests.conftest import TOY
from tests.ml.importing.conftest import kept, quietly, same_runs, told, traced
from tests.ml.importing.test_weights import own, save_file

PICTURE = torch.rand(2, 1, 28, 28)


class OfBytes(torch.nn.Module):
    """uint8 [n, h, w, 1], probabilities out."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, pixels):
        return torch.softmax(self.inner(pixels.permute(0, 3, 1, 2).float() / 255), 1)


def exported(module, example, path):
    with quietly():
        torch.onnx.export(
            module, (example,), path, dynamo=False, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_one_network_in_six_forms_is_one_run(whole, toy_library, toy_data, own_home, tmp_path):
    exported(whole, PICTURE, tmp_path / "float.onnx")
    exported(OfBytes(whole), (PICTURE * 255).permute(0, 2, 3, 1).byte(), tmp_path / "bytes.onnx")
    kept(traced(whole, PICTURE), tmp_path / "script.pt")
    with quietly():
        program = torch.export.export(whole, (PICTURE,), dynamic_shapes=({0: torch.export.Dim("n", min=1, max=64)},))
        torch.export.save(program, tmp_path / "program.pt2")
    save_file(own(toy_library)[1], tmp_path / "weights.safetensors")
    with torch.inference_mode():
        said = {
            split: torch.softmax(whole(torch.from_numpy(part.images[:]).permute(0, 3, 1, 2).float() / 255), 1).numpy()
            for split, part in toy_data.splits.items()
        }
    told(said, toy_data, tmp_path / "said.csv")
    names = ["float.onnx", "bytes.onnx", "script.pt", "program.pt2", "weights.safetensors", "said.csv"]
    for name in names:
        kind = "--predictions" if name == "said.csv" else "--network"
        as_stated = [] if name == "said.csv" else ["--as-stated"]
        run = name.replace(".", "-")
        assert main(["runs", "add", run, "--data", TOY, kind, str(tmp_path / name), *as_stated]) == 0
    library = Library(own_home / "none", own_home)
    runs = [library.open(name.replace(".", "-")) for name in names]
    assert [run.manifest["kind"] for run in runs] == ["imported"] * 5 + ["recorded"]
    same_runs(runs, said)
    assert np.ptp([run.manifest["results"]["test"]["loss"] for run in runs]) < 1e-4
