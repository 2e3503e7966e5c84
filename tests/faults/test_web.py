"""Faults and attacks at the web's door: O1, O2, O4 and W1-W3, W6, W7 of the reliability plan, on the whole app.

FASHION_FAULTS=full (`make test-faults`) runs them at full count.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from dashboard.web import security
from tests.promises import promised

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
CALLBACK = "/_dash-update-component"
TRACE = re.compile(r'Traceback|File "|site-packages|\.py\b|/usr/|/etc/|/tmp/')
HEADERS = {"Content-Type": "application/json"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def send(address: str, path: str, data: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of the answer, whatever the status."""
    try:
        with urlopen(Request(address + path, data=data, headers=headers), timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode(errors="replace")
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode(errors="replace")


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))]


@pytest.fixture
def start(home, no_artifacts, tmp_path):
    """start(*arguments, **environment) → (`python app.py` on the toy run as a process, its address), answering."""
    started = []

    def run(*arguments: str, **environment: str):
        port = free_port()
        log = (tmp_path / f"{port}.log").open("w+")
        command = [sys.executable, "app.py", "--port", str(port), "--artifacts", str(no_artifacts), *arguments]
        env = {**os.environ, "FASHION_HOME": str(home), **environment}
        child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        started.append((child, log))
        address = f"http://127.0.0.1:{port}"
        limit = time.monotonic() + promised(30)
        while time.monotonic() < limit:
            try:
                if send(address, "/health")[0] == 200:
                    return child, address
            except OSError:  # nobody listens yet, or a listening port that does not answer yet
                time.sleep(0.1)
            assert child.poll() is None, (tmp_path / f"{port}.log").read_text()
        raise AssertionError("the app did not start in time")

    yield run
    for child, log in started:
        child.kill()
        child.wait()
        log.close()


def test_o1_a_busy_port_is_one_line_and_leaves_nothing_behind():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        seconds = time.monotonic() - began
    assert ended.returncode == 1
    assert (ended.stdout, ended.stderr.count("\n")) == ("", 1)
    assert str(port) in ended.stderr
    assert seconds < promised(3)


def test_o1_a_setting_that_cannot_be_read_is_one_line():
    ended = subprocess.run(
        [sys.executable, "app.py", "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, "FASHION_WORKERS": "many"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert (ended.stdout, ended.stderr.count("\n")) == ("", 1)
    assert "FASHION_WORKERS is how many trainings run at a time" in ended.stderr


# Runs inside its own network (and without the packaged data set, where it may mount): starts the app, looks at it.
ALONE = r"""
import fcntl, json, os, signal, socket, struct, subprocess, sys, time
from urllib.request import Request, urlopen
if sys.argv[1] == "1":
    with socket.socket() as probe:  # the loopback device of a new network namespace is down
        flags = struct.unpack("16sh", fcntl.ioctl(probe, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh", b"lo", flags | 1))
    subprocess.run(["mount", "-t", "tmpfs", "none", "/usr/share/datasets"], stderr=subprocess.DEVNULL)
port, command = sys.argv[2], sys.argv[3:]
address, began = f"http://127.0.0.1:{port}", time.monotonic()
child = subprocess.Popen(command, start_new_session=True)
try:
    while True:
        try:
            health = json.load(urlopen(address + "/health", timeout=5))
            break
        except OSError:
            if child.poll() is not None or time.monotonic() - began > 60:
                raise SystemExit("the app did not start")
            time.sleep(0.1)
    report = {"seconds": time.monotonic() - began, "health": health, "pages": {}}
    layouts = {}
    for path in ("/", "/insights", "/prediction", "/training"):
        report["pages"][path] = urlopen(address + path, timeout=20).status
        asked = {"output": "..app-page.children...app-links.children..",
                 "outputs": [{"id": i, "property": "children"} for i in ("app-page", "app-links")],
                 "inputs": [{"id": "url", "property": "pathname", "value": path}],
                 "state": [{"id": "url", "property": "search", "value": ""}], "changedPropIds": ["url.pathname"]}
        body = json.dumps(asked).encode()
        request = Request(address + "/_dash-update-component", body, {"Content-Type": "application/json"})
        layouts[path] = len(urlopen(request, timeout=20).read())
    time.sleep(1)
    report["layouts"] = layouts
    print(json.dumps(report))
finally:
    os.killpg(child.pid, signal.SIGTERM)  # the app, even where a tracer stands between
    child.wait()
"""

# Becomes sitecustomize of the app and of every Python it starts: writes down who is called.
GUARD = """
import os, sys
def hear(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo":
        host = str(arguments[0])
    else:
        return
    if not (host.startswith("127.") or host in ("localhost", "::1", "0.0.0.0", "::", "None")):
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(f"{event} {arguments[1:] if event == 'socket.connect' else host}\\n")
sys.addaudithook(hear)
"""


def test_o2_without_network_and_data_set_the_app_starts_and_calls_nobody(home, no_artifacts, tmp_path):
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    heard, traced = tmp_path / "heard.log", tmp_path / "traced.log"
    isolated = os.name == "posix" and os.geteuid() == 0 and shutil.which("unshare")
    isolated = bool(isolated) and subprocess.run(["unshare", "-nm", "true"], capture_output=True).returncode == 0
    port = str(free_port())
    command = [sys.executable, "app.py", "--port", port, "--artifacts", str(no_artifacts)]
    if shutil.which("strace"):
        command = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(traced), *command]
    environment = {
        **os.environ,
        "FASHION_HOME": str(home),
        "FASHION_DATA_DIR": str(tmp_path / "none"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(tmp_path / "guard"),
        "GUARD_LOG": str(heard),
    }
    done = subprocess.run(
        [*(["unshare", "-nm"] if isolated else []), sys.executable, "-c", ALONE, str(int(isolated)), port, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["health"]["runs"]["usable"] == 1
    assert set(report["pages"].values()) == {200}
    assert min(report["layouts"].values()) > 500
    assert not heard.exists(), heard.read_text()
    if traced.exists():
        addresses = re.findall(r"sin6?_addr=inet_(?:addr|pton)\((?:AF_INET6, )?\"([^\"]+)\"", traced.read_text())
        outside = [one for one in addresses if not one.startswith("127.") and one not in ("::1", "0.0.0.0", "::")]
        assert outside == []
    else:
        assert report["seconds"] < 10  # tracing system calls takes longer than the start itself


def test_o2_the_guard_hears_a_call(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    log = tmp_path / "heard.log"
    call = "import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.1', 9)); s.close()"
    subprocess.run(
        [sys.executable, "-c", call],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "GUARD_LOG": str(log)},
        check=True,
        timeout=30,
    )
    assert "192.0.2.1" in log.read_text()


def test_o4_sigterm_in_training_and_under_load_ends_in_order(start, home, no_artifacts):
    from dashboard.services.jobs import Jobs
    from ml.jobs.queue import JobTable
    from ml.training.config import TrainConfig

    child, address = start()
    jobs = Jobs(home, artifacts=no_artifacts)
    config = TrainConfig(model="compact_cnn", dataset="synthetic-4-28x28x1", epochs=100, batch_size=16, threads=1)
    job = JobTable(home).submit(config.model_dump(mode="json"), "under-load", epochs=config.epochs)
    failures: list[str] = []
    answered = 0
    stopping = threading.Event()
    lock = threading.Lock()

    def ask():
        nonlocal answered
        while not stopping.is_set():
            try:
                status, _, text = send(address, "/_dash-layout")
                good = status == 200 and json.loads(text)["type"] == "Div"
            except (OSError, ValueError) as error:
                # Asked in the moment of the signal: nobody listens any more. An answer that breaks off is a failure.
                good, text = stopping.is_set() and "refused" in str(error), repr(error)
            with lock:
                answered += good
                if not good:
                    failures.append(text[-200:])

    try:
        jobs.wake()
        limit = time.monotonic() + 60
        while (row := jobs.view().job) is None or row.epoch < 1:
            assert time.monotonic() < limit, row
            time.sleep(0.2)
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        began = time.monotonic()
        stopping.set()
        child.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(20)
        assert child.wait(20) == 0
        assert time.monotonic() - began < 15
        assert answered >= 12
        assert failures == []
        now = jobs.view().job
        assert now is not None
        assert now.state in ("running", "interrupted")
        assert (home / "runs" / "under-load.partial" / "checkpoint.pt").stat().st_size > 1000
    finally:
        jobs.cancel(job.id)
        limit = time.monotonic() + 30
        while jobs.view().active and time.monotonic() < limit:
            time.sleep(0.2)
        assert not jobs.view().active


def envelope(app, output: str) -> dict:
    """A body for the callback as the page would send it, every value missing."""

    def one(identity: str, prop: str):
        if not identity.startswith("{"):
            return {"id": identity, "property": prop}
        pattern = json.loads(identity)
        item = {"id": {k: 0 if isinstance(v, list) else v for k, v in pattern.items()}, "property": prop}
        return [item] if any(v in (["ALL"], ["ALLSMALLER"]) for v in pattern.values()) else item

    declared = app.callback_map[output]
    outputs = [one(*pair) for pair in security.dash_outputs(output)]
    return {
        "output": output,
        "outputs": [] if declared.get("no_output") else outputs if output.startswith("..") else outputs[0],
        "inputs": [one(item["id"], item["property"]) for item in declared["inputs"]],
        "state": [one(item["id"], item["property"]) for item in declared["state"]],
        "changedPropIds": [],
    }


PAGE_CALLBACK = "..app-page.children...app-links.children.."


def forged(good: dict) -> dict[str, tuple[bytes, str, set[int]]]:
    """Twenty shapes that no page sends: (body, content type, statuses that are right)."""

    def encode(body) -> bytes:
        return json.dumps(body).encode()

    first = good["inputs"][0]
    kind, bad = "application/json", {400}
    return {
        "a list": (b"[]", kind, bad),
        "null": (b"null", kind, bad),
        "a string": (b'"x"', kind, bad),
        "an empty object": (b"{}", kind, bad),
        "nothing": (b"", kind, bad),
        "not JSON": (b"{", kind, bad),
        "not text": (b"\xff\xfe", kind, bad),
        "an unknown output": (encode(good | {"output": "no.such"}), kind, {404}),
        "an output that is a list": (encode(good | {"output": ["a"]}), kind, bad),
        "no inputs": (encode({key: good[key] for key in good if key != "inputs"}), kind, bad),
        "an input too many": (encode(good | {"inputs": [*good["inputs"], first]}), kind, bad),
        "an input renamed": (encode(good | {"inputs": [first | {"id": "other"}]}), kind, bad),
        "another property": (encode(good | {"inputs": [first | {"property": "__class__"}]}), kind, bad),
        "inputs that are numbers": (encode(good | {"inputs": [1]}), kind, bad),
        "a value of the wrong type": (encode(good | {"inputs": [first | {"value": {"a": [1]}}]}), kind, bad),
        "NaN": (encode(good | {"inputs": [first | {"value": float("nan")}]}), kind, bad),
        "half a character": (encode(good).replace(b'"url"', b'"\\ud800"'), kind, bad),
        "a deep nest": (b"[" * 100_000 + b"]" * 100_000, kind, bad),
        "changed properties in a string": (encode(good | {"changedPropIds": "url.pathname"}), kind, bad),
        "another type of content": (encode(good), "text/plain", {415}),
        "too large": (b" " * (security.CALLBACK_BYTES + 1), kind, {413}),
    }


def test_w1_forged_envelopes_are_refused_and_the_app_goes_on(app, live_server, count):
    good = envelope(app, PAGE_CALLBACK)
    seconds = []
    for name, (body, kind, right) in forged(good).items():
        for _ in range(2 if len(body) > 10**6 else count(5, 25)):
            began = time.monotonic()
            status, _, text = send(live_server, CALLBACK, body, **{"Content-Type": kind})
            if len(body) < 10**6:
                seconds.append(time.monotonic() - began)
            assert status in right, f"{name}: {status} {text}"
            assert not TRACE.search(text), text
    assert p95(seconds) < promised(0.1)
    good["inputs"][0]["value"] = "/"
    status, _, text = send(live_server, CALLBACK, json.dumps(good).encode(), **HEADERS)
    assert status == 200
    assert "app-page" in text


HOSTILE = ["", "x" * 5000, "?true=%ff&page=-1&run=../x", "/../../etc/passwd", "data:image/png;base64,AAAA", "nan"]
HOSTILE += [-1, 0, 2**53, 1e308, True, [], ["x"], [[[]]], [{"a": 1}] * 3, {}, {"points": []}, {"points": [{}]}]
HOSTILE += [{"points": [{"x": {}, "y": [], "pointNumber": -1, "curveNumber": 9, "label": None}]}, {"lassoPoints": {}}]
HOSTILE += [{"lassoPoints": {"x": ["a"], "y": []}}, {"range": {"x": [1e308, -1]}}, {"id": "x", "run": 1, "picture": []}]


def possible(prop: str) -> list:
    """The hostile values that pass for a value of this property."""
    kind = security.TYPES.get(prop)
    return [one for one in HOSTILE if kind is None or (isinstance(one, kind) and not isinstance(one, bool))]


def test_w1_no_callback_fails_on_values_that_no_page_sends(app, live_server, count, caplog):
    """Every callback the app has, right in form, with values chosen to break it: none raises what nobody expected."""
    tried = 0
    for output, declared in list(app.callback_map.items()):
        if declared.get("background") or "callback" not in declared:
            continue
        for turn in range(0, len(HOSTILE), count(4, 1)):
            body = envelope(app, output)
            for place, item in enumerate([*body["inputs"], *body["state"]]):
                for one in item if isinstance(item, list) else [item]:
                    values = possible(one["property"])
                    one["value"] = values[(turn + 5 * place) % len(values)]
            for item in body["inputs"][turn % max(len(body["inputs"]), 1) :][:1]:
                one = item[0] if isinstance(item, list) else item
                identity = one["id"] if isinstance(one["id"], str) else json.dumps(one["id"])
                body["changedPropIds"] = [f"{identity}.{one['property']}"]
            caplog.clear()
            status, _, text = send(live_server, CALLBACK, json.dumps(body).encode(), **HEADERS)
            assert status in (200, 204), f"{output}: {status} {text} to {body}"
            assert "Traceback" not in text, output
            failed = [record for record in caplog.records if record.levelname == "ERROR"]
            assert not failed, f"{output} raised {failed[0].exc_info and failed[0].exc_info[1]!r} on {body}"
            tried += 1
    assert tried > 100


def fenced(headers: dict[str, str]) -> None:
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy.get("script-src", "")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"]
    assert "Server" not in headers


def test_w2_every_kind_of_answer_is_fenced(app, live_server):
    good = json.dumps(envelope(app, PAGE_CALLBACK)).encode()
    address = live_server
    asset = re.search(r'/assets/[^"]+\.css[^"]*', send(address, "/")[2])[0]
    for path in (
        "/",
        "/insights",
        "/nowhere",
        asset,
        "/health",
        "/api/v1/runs",
        "/_dash-layout",
        "/_dash-dependencies",
    ):
        fenced(send(address, path)[1])
    status, headers, _ = send(address, CALLBACK, good, **HEADERS)
    assert status == 200
    fenced(headers)
    for body, kind in ((b"[]", "application/json"), (b" " * (security.CALLBACK_BYTES + 1), "application/json")):
        status, headers, _ = send(address, CALLBACK, body, **{"Content-Type": kind})
        assert status in (400, 413)
        fenced(headers)


@pytest.mark.browser
def test_w2_a_tour_of_all_pages_breaks_no_rule(live_server, page, idle):
    from dashboard.pages import PAGES

    page.add_init_script(
        "window.broken = []; document.addEventListener('securitypolicyviolation', e => "
        "window.broken.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`))"
    )
    for one in PAGES:
        page.goto(live_server + one.path)
        page.wait_for_selector("h1, h2")
        page.wait_for_function(idle)
        page.click("#app-theme-button")  # charts are drawn anew
        page.wait_for_timeout(500)
        page.wait_for_function(idle)
        assert page.evaluate("window.broken") == []


OUTSIDE = [
    "../" * 8 + "etc/passwd",
    "..%2f" * 8 + "etc%2fpasswd",
    "%2e%2e/" * 8 + "etc/passwd",
    "..%5c" * 8 + "windows%5cwin.ini",
    "....//" * 8 + "etc/passwd",
    "%252e%252e%252f" * 8 + "etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "..%00/etc/passwd",
    "%c0%ae%c0%ae/" * 8 + "etc/passwd",
    "../app.py",
    "../dashboard/web/security.py",
    "../requirements.txt",
    "..%2frequirements.txt",
    "~root/.profile",
    "C:%5cwindows%5cwin.ini",
    "a/../../../../etc/passwd",
    ".git/config",
    "../.git/config",
]
DOORS = [
    "/{}",
    "/assets/{}",
    "/_dash-component-suites/dash/{}",
    "/_dash-component-suites/{}",
    "/_dash-component-suites/plotly/package_data/{}",
    "/pictures/{}/test/1.png",
    "/pictures/synthetic-4-28x28x1/{}/1.png",
    "/sprites/synthetic-4-28x28x1/test/{}.png",
    "/explanations/{}/test/1.png",
    "/feedback/pictures/{}.png",
    "/?run={}",
]
SECRETS = re.compile(r"root:.*:0:0|waitress==|\[core\]|\[fonts\]|def create_app|hashlib")


def test_w3_no_address_reaches_a_file_outside(live_server):
    import http.client

    tried = 0
    for door in DOORS:
        for text in OUTSIDE:
            path = door.format(quote(text) if "?" in door else text)
            connection = http.client.HTTPConnection(live_server.removeprefix("http://"), timeout=20)
            try:
                connection.putrequest("GET", path, skip_host=False)  # as it stands: urllib would tidy it up
                connection.endheaders()
                answer = connection.getresponse()
                body = answer.read().decode(errors="replace")
            finally:
                connection.close()
            assert answer.status < 500, path
            assert not SECRETS.search(body), path
            tried += 1
    assert tried >= 200


def test_w3_no_run_in_a_callback_reaches_a_file_outside(app, live_server):
    for text in OUTSIDE:
        body = envelope(app, PAGE_CALLBACK)
        body["inputs"][0]["value"] = "/"
        body["state"][0]["value"] = "?run=" + quote(text)
        status, _, answer = send(live_server, CALLBACK, json.dumps(body).encode(), **HEADERS)
        assert status == 200
        assert not SECRETS.search(answer)


def test_w6_only_the_apps_own_pages_may_post(app, live_server):
    good = json.dumps(envelope(app, PAGE_CALLBACK)).encode()
    own = {**HEADERS, "Origin": live_server, "Sec-Fetch-Site": "same-origin"}
    for path in (CALLBACK, "/api/v1/predict"):
        for foreign in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": live_server.replace("127.0.0.1", "localhost")},
        ):
            assert send(live_server, path, good, **{**HEADERS, **foreign})[0] == 403
        assert send(live_server, path, good, **{**HEADERS, "Host": "evil.example"})[0] == 400
    assert send(live_server, CALLBACK, good, **{**own, "Content-Type": "text/plain"})[0] == 415
    assert send(live_server, CALLBACK, good, **own)[0] == 200


def test_w7_a_real_start_has_no_debugger_and_tells_numbers_only(start, tmp_path):
    _, address = start()
    for path in ("/console", "/_mcp", "/_dash-ws", "/_reload-hash/x", "/?__debugger__=yes&cmd=resource&f=debugger.js"):
        status, _, text = send(address, path)
        assert status == 404 or "Werkzeug" not in text
    assert send(address, "/_mcp")[0] == send(address, "/console")[0] == 404
    assert "Werkzeug" not in send(address, "/nowhere", Accept="text/html")[2]
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(address + "/", headers={"Upgrade": "websocket", "Connection": "Upgrade", "Host": "x.example"}))
    assert refused.value.code == 400
    refused.value.close()


def test_w7_the_error_page_shows_only_a_number_that_the_log_holds(app, serving, caplog):
    @app.server.get("/api/v1/break")
    def break_it():
        raise RuntimeError("the secret in /etc/shadow")

    address = serving(app)
    status, headers, text = send(address, "/api/v1/break")
    assert status == 500
    fenced(headers)
    number = re.search(r"[0-9a-f]{12}", text)[0]
    assert number in caplog.text
    assert "secret" in caplog.text
    assert "secret" not in text
    assert not TRACE.search(text)
