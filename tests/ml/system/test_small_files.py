"""Small files of the app's folders: read whole, and nothing that stands in their place holds anybody up."""

import os
import sys

import pytest

from ml.system import small_files


def test_a_document_is_read_whole(tmp_path):
    place = tmp_path / "about.json"
    place.write_text('{"name": "Čapka", "parts": [1, 2]}', encoding="utf-8")
    assert small_files.document(place) == {"name": "Čapka", "parts": [1, 2]}
    linked = tmp_path / "linked.json"
    linked.symlink_to(place)
    assert small_files.document(linked)["parts"] == [1, 2], "people may keep their data sets elsewhere"


def test_what_is_no_small_file_of_json_is_refused_at_once(tmp_path):
    place = tmp_path / "about.json"
    place.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        small_files.document(place)
    place.write_bytes(b"\xff{}")
    with pytest.raises(ValueError, match="decode"):
        small_files.document(place)
    os.truncate(place, 10 << 30)
    with pytest.raises(OSError, match="bytes, and at most"):
        small_files.document(place)
    place.unlink()
    with pytest.raises(FileNotFoundError):
        small_files.document(place)
    place.mkdir()
    with pytest.raises(OSError, match="no file"):
        small_files.document(place)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    place = tmp_path / "about.json"
    os.mkfifo(place)
    with pytest.raises(OSError, match=r"about\.json is no file"):
        small_files.document(place)
