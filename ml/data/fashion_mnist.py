"""Fashion-MNIST: 70,000 pictures of clothes, 28 × 28, ten classes (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747)."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ml.data.base import Dataset, Split, hold_out
from ml.settings import Storage
from ml.system.paths import cache_dir

NAME = "fashion-mnist"
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DOMAIN = "single pieces of clothing from a shop's catalogue, centred, upright, in grey on black, 28 pixels wide"
UNLIKE = "photographs with a background, worn clothes or several things"
VALIDATION = 5_000
SEED = 0
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# of the unpacked content: Debian packs the same bytes into other .gz files than the authors' server does
SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
HELP = """Fashion-MNIST was not found and could not be downloaded.
On Debian or Ubuntu: apt-get install dataset-fashion-mnist. Elsewhere: put the four original .gz files into a folder
and set FASHION_DATA_DIR to it. Looked in: {places}."""


class DataMissing(RuntimeError):
    """The data set is not on this machine; the message says what to do."""


def places() -> Iterator[Path]:
    """Folders that may hold the four original files, in search order."""
    if folder := Storage.read().data:
        yield folder
    yield cache_dir() / NAME
    yield DEBIAN


def find() -> Path | None:
    """The first folder that holds all four files, or None; reads no content."""
    return next((place for place in places() if all((place / name).is_file() for name in SHA256)), None)


def download() -> Path:
    """Fetch the four files with torchvision's downloader into the user cache; the folder. Raises DataMissing."""
    from ml.system.torchvision_ops import declare

    declare()
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.utils import download_url

    target = cache_dir() / NAME
    for name in SHA256:
        for mirror in FashionMNIST.mirrors:
            try:
                download_url(mirror + name, str(target), name)
                break
            except (OSError, RuntimeError):
                continue
        else:
            raise DataMissing(HELP.format(places=", ".join(str(p) for p in places())))
    return target


def read(folder: Path) -> dict[str, np.ndarray]:
    """The four arrays by file name, uint8; raises ValueError when a file is not the published one."""
    arrays, wrong = {}, []
    for name, digest in SHA256.items():
        try:
            content = gzip.decompress((folder / name).read_bytes())
        except (EOFError, gzip.BadGzipFile, zlib.error):
            content = b""
        if hashlib.sha256(content).hexdigest() == digest:
            arrays[name] = parse_idx(content)
        else:
            wrong.append(name)
    if wrong:
        raise ValueError(f"{', '.join(wrong)} in {folder} differ from the published files; delete them and try again")
    return arrays


def parse_idx(content: bytes) -> np.ndarray:
    """An idx file of bytes (Y. LeCun's format: 0, 0, type 8, rank, big-endian sizes, data) as uint8."""
    if content[:3] != b"\0\0\x08":
        raise ValueError("not an idx file of bytes")
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def load(*, fetch: bool = True) -> Dataset:
    """The whole data set: train 55,000, validation 5,000 (stratified, seed 0), test 10,000. Raises DataMissing."""
    folder = find()
    if folder is None:
        if not fetch:
            raise DataMissing(HELP.format(places=", ".join(str(p) for p in places())))
        folder = download()
    arrays = read(folder)
    whole = _split(arrays["train-images-idx3-ubyte.gz"], arrays["train-labels-idx1-ubyte.gz"])
    kept, held = hold_out(whole.labels, VALIDATION, SEED)
    test = _split(arrays["t10k-images-idx3-ubyte.gz"], arrays["t10k-labels-idx1-ubyte.gz"])
    splits = {"train": whole.take(kept), "validation": whole.take(held), "test": test}
    return Dataset(NAME, "Fashion-MNIST", CLASSES, splits, SEED, hashes=dict(SHA256))


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    return Split(images[..., None], labels.astype(np.int64), np.arange(len(labels), dtype=np.int32))
