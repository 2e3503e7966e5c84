"""An ONNX ResNet-50 of 94 MB as an imported run: `python bench/imported.py --pictures 1200`.

torchvision's architecture with random weights, exported here; made-up colour pictures of 224 pixels. Measured in one
run: what onnxruntime alone needs for these pictures (prepared beforehand, with as many threads) and what the import
takes from the file to the published run, without the doctor; one picture on one thread, by onnxruntime alone and
through the app's predictor, in turns; and what the process that serves it holds (RSS) before and after. Writes nothing
but its lines.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
SIDE, CLASSES, SINGLE = 224, 8, 60
RUN, NAME = "resnet50", "made-up"


def network(target: Path) -> None:
    """torchvision's ResNet-50 for CLASSES classes."""
    import torch

    from ml.system import torchvision_ops

    torchvision_ops.declare()
    from torchvision.models import resnet50

    torch.manual_seed(0)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            resnet50(num_classes=CLASSES).eval(), (torch.zeros(1, 3, SIDE, SIDE),), str(target), dynamo=False,
            input_names=["pictures"], output_names=["logits"],
            dynamic_axes={"pictures": {0: "n"}, "logits": {0: "n"}},
        )  # fmt: skip


def pictures(n: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """split → pictures and labels: half for training, a third for test, the rest for validation."""
    rng = np.random.default_rng(0)
    found = {}
    for split, share in (("train", 0.5), ("test", 1 / 3), ("validation", 1 / 6)):
        size = round(share * n)
        coarse = rng.integers(0, 256, (size, 7, 7, 3), np.uint8).repeat(32, axis=1).repeat(32, axis=2)
        noise = rng.integers(0, 24, (1, SIDE, SIDE, 3), np.uint8)
        found[split] = (np.maximum(coarse, 24) - noise, np.arange(size) % CLASSES)
    return found


def imports(folder: Path, n: int) -> None:
    """Import it into folder/home, then ask onnxruntime alone about the same pictures."""
    from ml.artifacts import writer
    from ml.data.base import Dataset, Split
    from ml.data.images import asked_at_once
    from ml.importing import adding
    from ml.inference.imported import Interface, session_of

    splits = {
        name: Split(images, labels.astype(np.int64), np.arange(len(labels), dtype=np.int32))
        for name, (images, labels) in pictures(n).items()
    }
    dataset = Dataset(NAME, "Made up", tuple(f"class {i}" for i in range(CLASSES)), splits)
    home, scratch, file = folder / "home", folder / "scratch", folder / "net.onnx"
    scratch.mkdir()
    writer.write_pictures(home, dataset)
    steps: list[tuple[float, str]] = []

    def tell(words: str) -> None:
        steps.append((time.perf_counter(), words))

    began = time.perf_counter()
    found = adding.understood([file], adding.NETWORK, dataset, home, adding.Choices(doctor="as-stated"), scratch, tell)
    tried = time.perf_counter() - began
    found.make(RUN, home, "", tell)
    whole = time.perf_counter() - began
    for (start, words), (end, _) in zip(steps, [*steps[1:], (began + whole, "")], strict=True):
        if end - start > 0.5:
            print(f"    {end - start:6.1f} s {words}")
    judged = dataset.judged()
    session = session_of(file.read_bytes(), os.cpu_count() or 1)
    how = Interface.model_validate(found.said["preparation"])
    alone, asked = 0.0, 0
    for split in judged.values():
        size = asked_at_once((SIDE, SIDE, 3))
        for start in range(0, len(split), size):
            values = how.prepared(np.asarray(split.images[start : start + size]))
            begins = time.perf_counter()
            session.run(["logits"], {"pictures": values})
            alone, asked = alone + time.perf_counter() - begins, asked + len(values)
    print(
        f"import of {asked:,} pictures: {whole:.1f} s, {tried:.1f} of it the trial, onnxruntime alone {alone:.1f} s: "
        f"{whole / alone:.2f} times; capabilities {', '.join(found.capabilities)}"
    )


def serves(folder: Path) -> None:
    """One picture through the predictor and by onnxruntime alone, in turns; and what the process holds."""
    from dashboard.services.networks import Networks
    from dashboard.services.predictor import Predictor
    from dashboard.shell import create_app
    from ml.inference.imported import session_of

    app = create_app(folder / "none", home=folder / "home")
    process = psutil.Process()
    app.server.test_client().get("/")
    before = process.memory_info().rss
    networks = Networks(app.store)
    predictor, network = Predictor(networks), networks.open(RUN)
    rng = np.random.default_rng(1)
    predictor.predict(RUN, rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    held = process.memory_info().rss
    alone_session, how = session_of((folder / "net.onnx").read_bytes()), network.asked.interface  # type: ignore[attr-defined]
    ours, alone = [], []
    for _ in range(SINGLE):
        image = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        values = how.prepared(image[None])
        began = time.perf_counter()
        alone_session.run(["logits"], {"pictures": values})
        alone.append(time.perf_counter() - began)
        began = time.perf_counter()
        predictor.predict(RUN, image)
        ours.append(time.perf_counter() - began)
    mine, its = (1000 * statistics.median(one) for one in (ours, alone))
    print(f"one picture, median of {SINGLE}: {mine:.1f} ms, onnxruntime alone {its:.1f} ms: {mine / its:.2f} times")
    print(f"process: {before / 1e6:.0f} MB with the Dashboard shown, {held / 1e6:.0f} MB with the network asked")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--part", choices=("network", "imports", "serves"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.part:
        part = {"network": lambda: network(options.folder / "net.onnx"),
                "imports": lambda: imports(options.folder, options.pictures),
                "serves": lambda: serves(options.folder)}[options.part]  # fmt: skip
        part()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("network", "imports", "serves"):  # each a process of its own
            flags = ["--part", name, "--folder", folder, "--pictures", str(options.pictures)]
            surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "FASHION_HOME": folder}
            subprocess.run([sys.executable, __file__, *flags], check=True, cwd=ROOT, env=surroundings)
            if name == "network":
                print(f"network: {(Path(folder) / 'net.onnx').stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
