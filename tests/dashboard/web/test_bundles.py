"""One script and one style sheet in place of sixty files, and nothing that no page uses."""

import re

from dashboard.web import bundles, proxy
from ml.system.paths import ASSETS


def test_files_are_joined_in_the_order_of_their_names(tmp_path):
    for name, text in (("b.js", "second"), ("a.js", "first"), ("tus.min.js", "apart"), ("c.css", "style")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert bundles.joined(tmp_path, "js") == b"first\nsecond"
    assert bundles.joined(tmp_path, "css") == b"style"


def test_comments_on_lines_of_their_own_are_left_out_of_scripts(tmp_path):
    (tmp_path / "a.js").write_text(
        "/* what\n   it is */\nlet a = 1; /* so */\n  /* more */\nlet b = '/* no */';\n", "utf-8"
    )
    assert bundles.joined(tmp_path, "js") == b"let a = 1; /* so */\nlet b = '/* no */';\n"
    for path in ASSETS.glob("*.js"):  # none stands within a text of several lines
        if ".min." not in path.name:
            for text in re.findall(r"`[^`]*`", path.read_text(encoding="utf-8")):
                assert not re.search(r"\n\s*/\*", text), path.name


def test_the_page_asks_for_one_file_of_each_kind(app):
    web = app.server.test_client()
    page = web.get("/").text
    own = re.findall(r'(?:src|href)="/assets/([^"?]+\.(?:css|js))[^"]*"', page)
    assert sorted(own) == ["05-plotly.min.js", "all.css", "all.js", "callbacks.js"]
    assert "polyfill" not in page
    assert "dash_table/" not in page
    assert page.index("all.js") < page.index("react-dom") < page.index("dash_renderer") < page.index("callbacks.js")
    for kind in ("css", "js"):
        address = re.search(rf'"(/assets/all\.{kind}\?m=\w+)"', page)[1]
        answer = web.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        lines = (ASSETS / ("10-layout.css" if kind == "css" else "plain.js")).read_bytes().splitlines()
        assert b"\n".join(lines[-6:]) in answer.data
        again = web.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


def test_what_is_left_out_of_dash_is_what_the_list_says(app):
    with app.server.test_request_context("/"):
        tags = app._generate_scripts_html()
    gone = set(re.findall(r'src="([^"]+)"', tags)) - set(re.findall(r'src="([^"]+)"', bundles.used(tags)))
    assert len(gone) == 2, gone


def test_what_dash_writes_between_its_scripts_comes_as_a_file(app):
    with app.server.test_request_context("/"):
        tags = app._generate_scripts_html()
    written = re.findall(r"<script>(.*?)</script>", tags, re.S)
    assert len(written) > 20
    assert "<script>" not in bundles.used(tags)
    web = app.server.test_client()  # nobody has asked for a page yet
    answer = web.get("/assets/callbacks.js?m=1")
    assert answer.mimetype == "text/javascript"
    assert "immutable" in answer.headers["Cache-Control"]
    text, at = answer.text, 0
    for one in written:
        at = text.index(one.strip(), at) + len(one.strip())  # in the order in which Dash has them
    assert text[at:].strip() == "var renderer = new DashRenderer();"
    assert proxy.ADDRESS.search(answer.data) is None  # no address that a proxy's path would have to stand before
    page = web.get("/").text
    assert re.findall(r"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>", page) == []
    assert web.get(re.search(r'src="(/assets/callbacks\.js\?m=\w+)"', page)[1]).data == answer.data
