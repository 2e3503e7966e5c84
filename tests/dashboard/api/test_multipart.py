"""Forms that are cut at their boundary say what werkzeug says of them, and what is not plain is left to it."""

import io

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.formparser import parse_form_data
from werkzeug.test import EnvironBuilder

from dashboard.api import multipart
from dashboard.api.requests import parts

BOUNDARY = b"0123456789abcdef"


def of(*parts: tuple[bytes, bytes]) -> bytes:
    joined = b"".join(b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts)
    return joined + b"--" + BOUNDARY + b"--\r\n"


def read(body: bytes, most: int = 8):
    return multipart.plain(body, BOUNDARY, most=most, field_bytes=100)


def by_werkzeug(body: bytes) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    environ = EnvironBuilder(
        method="POST", input_stream=io.BytesIO(body), content_length=len(body),
        content_type=f"multipart/form-data; boundary={BOUNDARY.decode()}",
    ).get_environ()  # fmt: skip
    _, text, files = parse_form_data(environ, stream_factory=lambda *_, **__: io.BytesIO())
    return {name: text[name] for name in text}, {name: (one.filename, one.read()) for name, one in files.items()}


FIELD = b'Content-Disposition: form-data; name="run"'
FILE = b'Content-Disposition: form-data; name="image"; filename="a b.png"'


@given(field=st.binary(max_size=60), file=st.binary(max_size=300), typed=st.booleans())
def test_a_plain_form_is_what_werkzeug_says(field, file, typed):
    body = of((FIELD, field), (FILE + (b"\r\nContent-Type: image/png" if typed else b""), file))
    found = read(body)
    assert found is not None
    text, files = found
    assert (text, {name: (one.filename, one.read()) for name, one in files.items()}) == by_werkzeug(body)


@given(content=st.lists(st.sampled_from([b"--", BOUNDARY, b"\r\n", b"\n", b"\r", b"x", b"--\r\n"]), max_size=12))
def test_where_the_boundary_is_in_the_content_nothing_else_is_read_than_werkzeug_reads(content):
    body = of((FILE, b"".join(content)))
    found = read(body)
    if found is not None:
        text, files = found
        assert (text, {name: (one.filename, one.read()) for name, one in files.items()}) == by_werkzeug(body)


@pytest.mark.parametrize("cut", range(len(BOUNDARY) + 8))
def test_what_is_large_is_the_same_wherever_its_end_is_cut(cut):
    """werkzeug reads 64 kB at a time; what it takes for the end of a file must not hang on where that falls."""
    end = b"\r\n--" + BOUNDARY + b"--\r\n"
    frame = len(of((FILE, b""))) - len(end)
    content = b"x" * (multipart.MOST + 65_536 - (multipart.MOST + frame + cut) % 65_536)
    body = of((FILE, content))
    assert len(body) > multipart.MOST
    assert (len(body) - len(end) + cut) % 65_536 == 0
    with Flask(__name__).test_request_context(
        method="POST", data=body, content_type=f"multipart/form-data; boundary={BOUNDARY.decode()}"
    ):
        _, files = parts(2 * multipart.MOST, "", 8, "a file")
    assert files["image"].stream.read() == content


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--" + BOUNDARY,
        of((FIELD, b"1"))[:-4],
        b"preamble\r\n" + of((FIELD, b"1")),
        of((FIELD, b"1")) + b"epilogue",
        of((FIELD, b"x" * 101)),
        of((b'Content-Disposition: form-data; name="a\\"b"', b"1")),
        of((b"Content-Disposition: form-data; name=run", b"1")),
        of((b"Content-Disposition: form-data; name*=utf-8''run", b"1")),
        of((FIELD + b"\r\nContent-Type: text/plain; charset=latin-1", b"1")),
        of((b"X-Other: 1\r\n" + FIELD, b"1")),
        of(*[(FIELD, b"1")] * 9),
        of((FIELD, b"1")).replace(b"\r\n", b"\n"),
    ],
)
def test_what_is_not_plain_is_left_to_werkzeug(body):
    assert read(body) is None


def test_the_boundary_is_said_plainly_or_not_known():
    assert multipart.boundary_of("multipart/form-data; boundary=abc") == b"abc"
    assert multipart.boundary_of('multipart/form-data; boundary="abc"') == b"abc"
    for other in (
        "multipart/form-data",
        "text/plain; boundary=abc",
        "multipart/form-data; boundary=a b",
        "",
        "multipart/form-data; charset=utf-8; boundary=abc",
        'multipart/form-data; boundary="abc',
    ):
        assert multipart.boundary_of(other) is None


def test_the_first_of_two_fields_of_one_name_counts():
    found = read(of((FIELD, b"first"), (FIELD, b"second")))
    assert found is not None
    assert found[0] == {"run": "first"}
