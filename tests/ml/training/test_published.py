"""Published weights: a package's and a download's, checked, converted once, never unpickled twice."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ml.models import WeightsMissing, build
from ml.training import published
from ml.training.published import PUBLISHED, Published

FORM = {"channels": 1, "height": 28, "width": 28, "classes": 4}
MEAN, STD = [0.286], [0.353]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(published, "cache_dir", lambda: folder)
    return folder


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def body_of(name):
    torch.manual_seed(0)
    return build(name, **FORM, pretrained=True)


@pytest.fixture
def server(tmp_path):
    """A web server of one folder; its address, the folder, and the paths that were asked for."""
    folder, asked = tmp_path / "web", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}", folder, asked
    web.shutdown()
    web.server_close()
    thread.join()


@pytest.fixture
def made_up(server, monkeypatch):
    """mobilenet_v3_small as torchvision names its weights, of random numbers, on the local server."""
    from ml.system.torchvision_ops import declare

    declare()
    from torchvision.models import mobilenet_v3_small

    address, folder, asked = server
    torch.manual_seed(3)
    net = mobilenet_v3_small()
    file = folder / "made-up.pth"
    torch.save(net.state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(PUBLISHED, "mobilenet_v3_small", Published("x.pth", digest, url=f"{address}/made-up.pth"))
    return net, file, asked


def test_downloaded_weights_land_in_the_body_and_are_kept_without_pickle(made_up, cache):
    net, _, asked = made_up
    chunks = []
    model = body_of("mobilenet_v3_small")
    head = model.head.weight.clone()
    published.load(model, "mobilenet_v3_small", MEAN, STD, on_chunk=lambda: chunks.append(1))
    assert chunks
    pictures = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        seen = model.eval().body.lens(pictures)
        net.eval()
        own = net.classifier[:3](torch.flatten(net.avgpool(net.features(seen)), 1))
        torch.testing.assert_close(model.body(pictures), own)
    assert torch.equal(model.head.weight, head)
    (kept,) = files(cache)
    assert kept.suffix == ".safetensors"
    assert "conv_0.weight" in load_file(kept)
    again = body_of("mobilenet_v3_small")
    published.load(again, "mobilenet_v3_small", MEAN, STD)
    assert len(asked) == 1, "the second time reads what was kept"
    assert all(torch.equal(a, b) for a, b in zip(model.body.parameters(), again.body.parameters(), strict=True))


def test_a_kept_file_of_other_layer_names_is_made_again(made_up, cache):
    _, _, asked = made_up
    for _ in range(2):
        published.load(body_of("mobilenet_v3_small"), "mobilenet_v3_small", MEAN, STD)
        (kept,) = files(cache)
        save_file({"other": torch.zeros(1)}, kept)
    assert len(asked) == 2


def test_a_file_of_another_digest_is_refused_unread(made_up, cache, monkeypatch):
    _, file, _ = made_up
    file.write_bytes(file.read_bytes() + b"!")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(WeightsMissing, match="SHA-256"):
        published.load(body_of("mobilenet_v3_small"), "mobilenet_v3_small", MEAN, STD)
    assert not files(cache)


@pytest.mark.parametrize("trouble", ["no such file", "nobody listens"])
def test_without_a_network_it_says_so(made_up, monkeypatch, trouble):
    known = PUBLISHED["mobilenet_v3_small"]
    url = known.url + ".gone" if trouble == "no such file" else "http://127.0.0.1:9/x.pth"
    monkeypatch.setitem(PUBLISHED, "mobilenet_v3_small", Published(known.file, known.sha256, url=url))
    with pytest.raises(WeightsMissing, match=r"cannot be downloaded here.*requirements-transfer\.txt"):
        published.load(body_of("mobilenet_v3_small"), "mobilenet_v3_small", MEAN, STD)


def test_a_download_can_be_cancelled(made_up):
    class Cancelled(Exception):
        pass

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        published.load(body_of("mobilenet_v3_small"), "mobilenet_v3_small", MEAN, STD, on_chunk=stop)


def test_weights_of_another_shape_are_refused(server, monkeypatch):
    address, folder, _ = server
    torch.save({"conv.weight": torch.zeros(3, 3)}, folder / "other.pth")
    digest = hashlib.sha256((folder / "other.pth").read_bytes()).hexdigest()
    monkeypatch.setitem(PUBLISHED, "resnet18", Published("x.pth", digest, url=f"{address}/other.pth"))
    with pytest.raises(ValueError, match="do not fit"):
        published.load(body_of("resnet18"), "resnet18", MEAN, STD)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    known = PUBLISHED["efficientnet_lite0"]
    monkeypatch.setitem(
        PUBLISHED, "efficientnet_lite0", Published(known.file, known.sha256, package="not_there_at_all")
    )
    with pytest.raises(WeightsMissing, match=r"requirements-transfer\.txt"):
        published.load(body_of("efficientnet_lite0"), "efficientnet_lite0", MEAN, STD)


@pytest.mark.parametrize(
    ("name", "side", "mean", "std", "some"),
    [
        ("efficientnet_lite0", 112, 0.099809, 0.352964, {113: 4.0087, 164: 0.49889, 142: 0.13789, 576: 0.02545}),
        ("efficientnet_lite0", 100, 0.078008, 0.306048, {113: 3.81465, 746: 0.34948, 472: 0.08557, 515: 0.01068}),
    ],
)
def test_efficientnet_says_what_the_packages_own_model_says(name, side, mean, std, some):
    """The numbers are efficientnet-lite-pytorch 0.1.0's: pooled features of this picture with these weights."""
    model = body_of(name)
    published.load(model, name, MEAN, STD)
    picture = np.random.default_rng(5).normal(size=(1, 3, side, side)).astype(np.float32)
    with torch.no_grad():
        features = model.eval().body[1:](torch.from_numpy(picture))[0]
    assert features.shape == (1280,)
    assert features.mean() == pytest.approx(mean, abs=1e-4)
    assert features.std() == pytest.approx(std, abs=1e-4)
    assert {channel: features[channel].item() for channel in some} == pytest.approx(some, abs=1e-4)
