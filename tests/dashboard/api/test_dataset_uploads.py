"""Files that are to become data sets, in pieces, by tus: broken off, gone on with, refused, and thrown away."""

import base64
import json
from types import SimpleNamespace

import pytest

from dashboard.services import staging
from dashboard.shell import create_app
from dashboard.web.security import PIECE_BYTES
from ml.people.accounts import Accounts
from tests.dashboard.web.test_identity import HOST, signed

PATH = "/api/v1/uploads"
SPOKEN = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
def app(home, no_artifacts):
    return create_app(no_artifacts, home=home)


@pytest.fixture
def web(app):
    return app.server.test_client()


def create(web, size=10, name="pets.zip", **more):
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    headers = {**SPOKEN, "Upload-Length": str(size), "Upload-Metadata": metadata, **more}
    return web.post(PATH, headers=headers, base_url=HOST)


def piece(web, place, offset, content, **more):
    headers = {**SPOKEN, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream", **more}
    return web.patch(place, data=content, headers=headers, base_url=HOST)


def here(web, place):
    return int(web.head(place, headers=SPOKEN, base_url=HOST).headers["Upload-Offset"])


def test_a_file_comes_in_pieces_and_lies_whole_on_the_disk(web, home):
    answer = create(web, 10, "Meine Tiere ü.tar.gz")
    assert (answer.status_code, answer.headers["Tus-Resumable"]) == (201, "1.0.0")
    place = answer.headers["Location"]
    assert here(web, place) == 0
    assert piece(web, place, 0, b"01234").headers["Upload-Offset"] == "5"
    head = web.head(place, headers=SPOKEN, base_url=HOST)
    assert (head.headers["Upload-Length"], head.headers["Cache-Control"]) == ("10", "no-store")
    assert piece(web, place, 5, b"56789").status_code == 204
    folder = home / "uploads" / place.rpartition("/")[2]
    about = json.loads((folder / staging.ABOUT).read_text())
    assert about["name"] == "Meine Tiere ü.tar.gz"
    assert (folder / about["file"]).read_bytes() == b"0123456789"
    assert about["file"].endswith(".tar.gz"), "what it ends with tells some formats apart"


def test_what_broke_off_goes_on_where_the_disk_says(web, home):
    place = create(web).headers["Location"]
    piece(web, place, 0, b"0123")
    assert piece(web, place, 0, b"0123").status_code == 409, "the sender asks how far it is"
    assert piece(web, place, 6, b"6789").status_code == 409
    again = create_app(home / "none", home=home).server.test_client()  # after a restart
    assert here(again, place) == 4
    assert piece(again, place, 4, b"456789").headers["Upload-Offset"] == "10"


def test_more_than_was_said_is_refused_and_not_kept(web):
    place = create(web, 4).headers["Location"]
    assert piece(web, place, 0, b"012345").status_code == 422
    assert here(web, place) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "x"}, 400),
        ({"Upload-Metadata": ""}, 400),
        ({"Upload-Metadata": "filename ***"}, 400),
        ({"Upload-Length": str(10**15 - 1)}, 422),
        ({"Origin": "http://elsewhere.example"}, 403),
    ],
)
def test_what_does_not_check_out_is_refused_in_a_sentence(web, home, headers, status):
    answer = create(web, **headers)
    assert answer.status_code == status
    assert answer.get_json()["error"].endswith(".")
    assert not list((home / "uploads").glob("*"))


def test_other_pieces_are_refused(web):
    place = create(web).headers["Location"]
    assert piece(web, place, 0, b"0", **{"Content-Type": "text/plain"}).status_code == 415
    assert piece(web, f"{PATH}/{'0' * 24}", 0, b"0").status_code == 404
    assert piece(web, f"{PATH}/..%2f..%2fx", 0, b"0").status_code in (404, 405)
    assert piece(web, place, 0, b"0" * (PIECE_BYTES + 1)).status_code == 413


def test_the_quota_is_told(web, monkeypatch):
    monkeypatch.setenv("FASHION_UPLOAD_GB", "0.000001")
    assert "1 kB are the most" in create(web, 2_000).get_json()["error"]
    assert create(web, 900).status_code == 201
    answer = create(web, 200)
    assert answer.status_code == 422
    assert "are taken" in answer.get_json()["error"]


def test_how_many_wait_has_a_limit(web, monkeypatch):
    monkeypatch.setattr(staging, "MOST", 3)
    kept = [create(web, 0).headers["Location"] for _ in range(3)]
    refused = create(web, 0)
    assert refused.status_code == 422
    assert refused.get_json()["error"].startswith("3 uploads wait here already: import some, or remove what is not")
    web.delete(kept[0], headers=SPOKEN, base_url=HOST)
    assert create(web, 0).status_code == 201


def test_a_full_disk_is_called_that(web, monkeypatch):
    place = create(web).headers["Location"]

    opened = staging.Path.open

    def full(path, mode="r", *arguments, **more):
        if mode == "ab":
            raise OSError(28, "No space left on device")
        return opened(path, mode, *arguments, **more)

    monkeypatch.setattr(staging.Path, "open", full)
    answer = piece(web, place, 0, b"0")
    assert answer.status_code == 503
    assert "disk is full" in answer.get_json()["error"].lower()


def test_an_upload_to_a_full_disk_is_refused_as_that(web, monkeypatch):
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda folder: SimpleNamespace(free=4096))
    answer = create(web)
    assert (answer.status_code, answer.get_json()["error"][:17]) == (503, "The disk is full,")
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda folder: SimpleNamespace(free=520 * 2**20))
    assert create(web, 30 * 10**6).get_json()["error"] == "The disk has 21 MB left for it; this has 30 MB."
    assert [staging.gigabytes(n) for n in (0, 7, 1_200, 35 * 10**6)] == ["0 kB", "7 bytes", "1 kB", "35 MB"]


def test_it_can_be_thrown_away(web, home):
    place = create(web).headers["Location"]
    assert web.delete(place, headers=SPOKEN, base_url=HOST).status_code == 204
    assert web.head(place, headers=SPOKEN, base_url=HOST).status_code == 404
    assert not list((home / "uploads").glob("*"))


def test_what_the_protocol_can_is_asked_by_options(web):
    answer = web.options(PATH, base_url=HOST)
    assert (answer.status_code, answer.headers["Tus-Version"]) == (204, "1.0.0")
    assert answer.headers["Tus-Extension"] == "creation,termination"


def test_a_read_only_server_takes_nothing(home, no_artifacts):
    web = create_app(no_artifacts, home=home, read_only=True).server.test_client()
    assert create(web).status_code == 403


def test_it_takes_a_role(home, no_artifacts):
    accounts = Accounts(home)
    for name, role in (("lena", "look"), ("tom", "train")):
        accounts.add(name, role, "correct horse")
    web = create_app(no_artifacts, home=home).server.test_client()
    assert create(web, **signed("lena", "correct horse")).status_code == 403
    assert create(web, **signed("tom", "correct horse")).status_code == 201


def test_a_path_is_taken_where_the_machine_is_the_persons_own(home, tmp_path, monkeypatch):
    place = tmp_path / "pets"
    place.mkdir()
    kept = staging.Staging(home)
    staged = kept.point(f" {place} ")
    assert (staged.place, staged.whole, staged.name) == (place, True, "pets")
    for wrong in ("", "pets", str(tmp_path / "none")):
        with pytest.raises(staging.Declined, match="There is nothing at"):
            kept.point(wrong)
    monkeypatch.setenv("FASHION_PASSWORD", "secret")
    with pytest.raises(staging.Declined, match="FASHION_IMPORT_PATHS"):
        kept.point(str(place))
    monkeypatch.setenv("FASHION_IMPORT_PATHS", "1")
    assert kept.point(str(place)).whole
    kept.remove(staged.id)
    assert place.is_dir(), "what was named by its path stays where it is"


def test_what_nothing_was_made_of_goes_after_a_week(home):
    kept = staging.Staging(home)
    one, two = (kept.create(name, 1) for name in ("a.zip", "b.zip"))
    kept.imported(two.id, "pets")
    kept.sweep(frozenset({"pets"}), now=one.created + 6 * 86_400)
    assert len(kept.listing()) == 2
    kept.sweep(frozenset({"pets"}), now=one.created + 8 * 86_400)
    assert [left.id for left in kept.listing()] == [two.id]
