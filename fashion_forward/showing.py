"""`show`: arrays of a notebook become a data set and a run, and the app beside them."""

import html
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

HEIGHT = 820  # pixels of the frame


@dataclass(frozen=True)
class Shown:
    """What `show` gives. data: the data set's name; run: the run's, '' where nothing is predicted; url: of the page
    that shows it. In a notebook, the last line of a cell shows it again."""

    data: str
    run: str
    url: str
    height: int = HEIGHT

    def _repr_html_(self) -> str:
        address = html.escape(self.url, quote=True)
        frame = f'<iframe src="{address}" width="100%" height="{self.height}" style="border:0" title="Fashion Forward">'
        link = f'<p><a href="{address}" target="_blank" rel="noopener">Open in a tab of its own</a></p>'
        return f"{frame}</iframe>{link}"

    def __str__(self) -> str:
        return self.url


def show(
    images: Any,
    labels: Any,
    probabilities: Any = None,
    features: Any = None,
    names: Sequence[str] | None = None,
    *,
    name: str = "",
    title: str = "",
    values: str = "",
    positive: str | int | None = None,
    proxy: bool | str | None = None,
    height: int = HEIGHT,
    display: bool = False,
) -> Shown:
    """Show pictures and what a network says of them, in the notebook or under `url`.

    images: n pictures: an array or tensor [n, h, w], [n, h, w, c] or [n, c, h, w], or a list of such, of PIL's, or of
    paths; bytes, or floats from 0 to 1. labels: n class names, or numbers of `names`. probabilities: [n, classes] in
    the order of `names` (logits too, or class names or numbers alone); None: the pictures alone are shown. features:
    [n, d], for maps. name: what the run is called; title: the data set; values, positive: as publish takes them.

    Both are kept among the runs and data sets here; the same arrays again are the ones that are there. A server is
    started on 127.0.0.1 where `show` has started none yet, reads alone, and stays for the next one; `stop_showing` ends
    it. proxy: True for the path of jupyter-server-proxy, a text for another one with {port} in it, False for none;
    None: as JupyterHub says. display: show it at once, as IPython's display does; without, the last line of a cell
    does.

    Raises ValueError in words.
    """
    from ml.system.paths import home_dir
    from ml.telling import server

    home = home_dir().absolute()
    data, run = _kept(home, images, labels, probabilities, features, names, name, title, values, positive)
    prefix = _prefix(proxy)
    address, _ = server.address(home, prefix)
    base = prefix.format(port=address.rpartition(":")[2]) if prefix else address
    url = (
        f"{base}/?run={quote(run)}&split=test&outcome=right&outcome=wrong" if run else f"{base}/data?set={quote(data)}"
    )
    shown = Shown(data, run, url, height)
    if display:
        _display(shown)
    return shown


def stop_showing() -> bool:
    """End the server that `show` started; whether there was one."""
    from ml.system.paths import home_dir
    from ml.telling import server

    return server.stop(home_dir().absolute())


def _kept(
    home: Path, images: Any, labels: Any, probabilities: Any, features: Any, names: Sequence[str] | None, name: str,
    title: str, values: str, positive: str | int | None,
) -> tuple[str, str]:  # fmt: skip
    """Names of the data set and of the run, written where they are not there yet."""
    import hashlib

    from fashion_forward.published import add_predictions
    from ml.artifacts.identity import run_id_of
    from ml.telling import pictures
    from ml.telling.border import Wrong, array

    made = pictures.dataset(images, labels, names, title=title)
    pictures.keep(made, home)
    if probabilities is None:
        if features is not None:
            raise Wrong("features are shown with what is predicted: give probabilities too")
        return made.name, ""
    said = hashlib.sha256(repr([name, values, positive]).encode())
    for what, given in (("probabilities", probabilities), ("features", features)):
        if given is not None:
            values_of = array(given, what)
            said.update(repr([what, values_of.shape, values_of.dtype.name]).encode() + values_of.tobytes())
    stem = run_id_of(name) if name else ""
    if name and not stem:
        raise Wrong(f"{name!r} cannot be a run's name, which needs a letter of a to z or a digit")
    run = f"{(stem or made.name)[:51]}-{said.hexdigest()[:12]}"
    if not (home / "runs" / run / "manifest.json").is_file():
        add_predictions(
            run, made.name, {"test": (None, probabilities)}, features={"test": features}, values=values,
            positive=positive, anew=True,
        )  # fmt: skip
    return made.name, run


def _prefix(proxy: bool | str | None) -> str:
    """The path at which a proxy shows a port, with {port} in it; '' for none."""
    from ml import settings
    from ml.telling.border import Wrong

    hub = settings.Proxies.read().hub
    if isinstance(proxy, str):
        if "{port}" not in proxy or not proxy.startswith("/"):
            raise Wrong(f"proxy={proxy!r} must be a path with {{port}} in it, such as /user/me/proxy/absolute/{{port}}")
        return proxy.rstrip("/")
    if proxy is False or (proxy is None and not hub):
        return ""
    return f"{hub.rstrip('/')}/proxy/absolute/{{port}}"


def _display(shown: Shown) -> None:
    """In the front end of the notebook; without one, the address in a line."""
    try:
        show_it = importlib.import_module("IPython.display").display
    except ImportError:
        print(shown.url)
        return
    show_it(shown)
