#!/bin/sh
# Dash 4.4.1, background callbacks: two apps made by one factory share their functions.
#
# expected: each app's background callback runs with what its own factory call captured, since each has a manager of its own.
# seen:
#   dash 4.4.1
#   the app of 'one' says 'two', the app of 'two' says 'two'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} dash==4.4.1 diskcache==5.6.3 multiprocess==0.70.19 psutil==7.2.2
cat > "$folder/apps.py" <<'PYTHON'
import sys
import time
from importlib.metadata import version

from dash import Dash, DiskcacheManager, Input, Output, html
from diskcache import Cache


def make(word, folder):
    app = Dash(word, background_callback_manager=DiskcacheManager(Cache(folder)))
    app.layout = html.Div([html.Button(id="go"), html.Div(id="out")])

    @app.callback(Output("out", "children"), Input("go", "n_clicks"), background=True, prevent_initial_call=True)
    def say(clicks):
        return word

    return app


def ask(app):
    """What the browser does: one question, then polls until there is an answer."""
    client, path = app.server.test_client(), "/_dash-update-component"
    question = {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "go", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["go.n_clicks"],
        "parsedChangedPropsIds": ["go.n_clicks"],
    }
    started = client.post(path, json=question).get_json()
    for _ in range(300):
        answer = client.post(path, query_string={k: started[k] for k in ("cacheKey", "job")}, json=question).get_json()
        if answer and "response" in answer:
            return answer["response"]["out"]["children"]
        time.sleep(0.1)
    raise SystemExit("no answer within 30 s")


if __name__ == "__main__":
    one, two = (make(word, f"{sys.argv[1]}/{word}") for word in ("one", "two"))
    said = [ask(one), ask(two)]
    print("dash", version("dash"))
    print(f"the app of 'one' says {said[0]!r}, the app of 'two' says {said[1]!r}")
    sys.exit(said != ["two", "two"])
PYTHON
"$folder/venv/bin/python" "$folder/apps.py" "$folder"
