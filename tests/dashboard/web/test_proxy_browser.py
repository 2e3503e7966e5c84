"""The app in a browser behind a real nginx, beneath a path that is taken off or left on, by header or setting."""

import contextlib
import dataclasses
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from dashboard.pages import PAGES
from tests.charts import rest_on
from tests.conftest import TOY, nothing_shipped, served

pytestmark = pytest.mark.browser

OFF, ON, ALONE = "/fashion/", "/user/ann/proxy/8050/", "/apps/fashion/"
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 65m;
        location {off} {{  # taken off; the app sees its own address as Host
            proxy_pass {headers}/;
            proxy_set_header X-Forwarded-Prefix {off};
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
        location {on} {{  # left on
            proxy_pass {headers};
            proxy_set_header X-Forwarded-Prefix {on};
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
        location {alone} {{  # left on, and FASHION_PREFIX alone says so
            proxy_pass {setting};
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, headers: str, setting: str):
    """The address of an nginx before two servers: one that believes headers, one with the setting."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, "No nginx: apt-get install nginx-light"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(folder=folder, port=port, off=OFF, on=ON, alone=ALONE, headers=headers, setting=setting)
    )
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")])
    try:
        until = time.monotonic() + 20
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until
            time.sleep(0.05)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="module")
def proxied(toy_home, tmp_path_factory):
    """The address of the proxy; the app behind it has the toy run and a data set of its own to train on."""
    from dashboard.shell import create_app
    from ml.artifacts.writer import write_pictures
    from ml.data import fashion_mnist, synthetic

    folder, homes = tmp_path_factory.mktemp("proxied"), []
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("FASHION_WORKER_IDLE", "2")
        patch.setattr(fashion_mnist, "find", lambda: None)
        addresses = []
        for name, value in (("FASHION_PROXIES", "1"), ("FASHION_PREFIX", ALONE)):
            home = Path(shutil.copytree(toy_home, folder / name))
            bars = dataclasses.replace(synthetic.load(TOY), name="bars", title="Bars")
            write_pictures(home, bars, complete=True)
            own = folder / f"{name}-shipped"
            own.mkdir()
            with pytest.MonkeyPatch.context() as setting:
                setting.setenv(name, value)
                app = create_app(nothing_shipped(own), home=home)
            addresses.append(stack.enter_context(served(app)))
            homes.append(str(home))
        yield stack.enter_context(nginx(folder, *addresses))
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("FASHION_HOME") in homes:
                process.kill()


@pytest.fixture
def outside(page: Page, proxied: str):
    """within(prefix): from now on every request of the page beside it fails the test."""
    prefixes, strays = [], []

    def hear(request):
        at = urlsplit(request.url)
        if at.scheme in ("http", "https") and not (
            request.url.startswith(proxied) and f"{at.path}/".startswith(prefixes[0])
        ):
            strays.append(request.url)

    page.on("request", hear)
    yield prefixes.append
    assert not strays, "\n".join(strays)


@pytest.mark.allow_problems("ID running component not found")  # Dash's words when a page is left while a panel computes
@pytest.mark.parametrize(
    ("prefix", "walked"), [(OFF, PAGES[1:4]), (ON, PAGES[4:7]), (ALONE, PAGES[7:])], ids=["off", "on", "alone"]
)  # every page is walked to beneath a prefix, the first one beneath each
def test_everything_is_found_beneath_the_prefix(proxied, page, idle, outside, tmp_path, prefix, walked):
    at = proxied + prefix.rstrip("/")
    outside(prefix)

    def rest():
        page.wait_for_function(idle)

    page.goto(at)
    expect(page).to_have_url(proxied + prefix)  # without a slash it leads there too
    for chosen in (*walked, PAGES[0]):
        page.locator(f"#app-links a[data-page='{chosen.path}']").click()
        expect(page.locator("#app-links [aria-current]")).to_have_text(chosen.title)
        expect(page).to_have_url(at + chosen.path)
        page.wait_for_selector("h1")
        rest()
    page.go_back()
    expect(page.locator("#app-links [aria-current]")).to_have_text(walked[-1].title)
    rest()  # who leaves Training while it is still drawn makes Dash complain of what is gone
    page.go_forward()
    rest()

    # from the matrix to the pictures, their sprites, one of them and why
    page.mouse.click(*rest_on(page, "#dashboard-confusion-graph", 0, 0, 4))
    expect(page).to_have_url(re.compile(re.escape(at) + r"/\?true="))
    tile = page.locator("#dashboard-gallery-grid [data-sample]").first
    sprite = tile.evaluate(
        "(tile) => [tile, ...tile.querySelectorAll('*')].map((one) => getComputedStyle(one).backgroundImage)"
        ".find((image) => image.startsWith('url'))"
    )
    assert sprite.startswith(f'url("{at}/sprites/')
    rest()
    for label in ("CSV", "Report"):
        with page.expect_download() as download:
            page.locator(f"a[download]:has-text('{label}')").first.click()
        assert download.value.url.startswith(f"{at}/export/")
        assert download.value.path().stat().st_size > 100
    tile.click()
    maps = """() => {
        const all = [...document.querySelectorAll('#sample-drawer-why-grid img.over')];
        const maps = all.filter((map) => map.getAttribute('src'));
        return maps.length > 0 && maps.every((map) => map.complete && map.naturalWidth);
    }"""
    page.wait_for_function(maps, timeout=60_000)
    shown = page.locator("#sample-drawer img").evaluate_all("(all) => all.map((one) => one.src)")
    assert any(one.startswith(f"{at}/explanations/") for one in shown)
    page.get_by_role("button", name="Open in the studio").click()
    expect(page).to_have_url(re.compile(re.escape(at) + r"/prediction\?"))
    expect(page.locator("#prediction-label")).not_to_be_empty(timeout=60_000)
    rest()

    # a picture of one's own, by page and by program
    garment = tmp_path / "garment.png"
    Image.new("L", (28, 28), 90).save(garment)
    with page.expect_file_chooser() as chooser:
        page.locator("#prediction-upload").get_by_text("Browse", exact=True).click()
    chooser.value.set_files(str(garment))
    expect(page.locator("#prediction-picture-preview img[src^='data:']")).to_be_visible()
    rest()
    picture = {"name": "garment.png", "mimeType": "image/png", "buffer": garment.read_bytes()}
    answer = page.request.post(f"{at}/api/v1/predict", multipart={"image": picture}, headers={"Origin": proxied})
    assert answer.status == 200
    assert page.locator("#prediction-label").text_content() == answer.json()["label"]

    page.click("#app-theme-button")
    rest()
    assert {one["path"] for one in page.context.cookies() if one["name"] == "theme"} == {prefix}


def test_a_training_is_watched_beneath_the_prefix(proxied, page, idle, outside):
    outside(ON)
    at = proxied + ON.rstrip("/")
    page.goto(at + "/")
    page.locator("#app-links a[data-page='/training']").click()
    page.select_option("#training-model-select", "compact_cnn")
    page.fill("#training-epochs-input", "1")
    page.fill("#training-name-input", "mine")
    page.click("text=More settings")
    page.locator("#training-images-range").fill("200")
    with page.expect_request(lambda one: "cacheKey=" in one.url):  # the background callback's polls
        page.click("#training-start")
    page.wait_for_selector("#training-status:text-is('done')", timeout=90_000)
    assert page.inner_text("#training-progress") == "1/1"
    page.click("#training-log-button")
    with page.expect_download() as download:
        page.click("#training-log-file")
    assert download.value.url.startswith(f"{at}/training/log/")
    page.wait_for_function(idle)
