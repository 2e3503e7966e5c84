"""Files that are no tables, told by their first bytes, and what to do with them."""

import codecs
import zipfile
from pathlib import Path


def strange(name: str, place: Path, start: bytes) -> str | None:
    """What to say of a file that is no table, None where it may be one. start: its first bytes."""
    begin = start.removeprefix(codecs.BOM_UTF8).lstrip()[:60].lower()
    if begin.startswith((b"<!doctype", b"<html", b"<?xml")):
        return f"{name} is a web page or XML, as a failed download leaves it, and no table: get the file itself"
    if begin.startswith(b"version https://git-lfs"):
        return f"{name} is a pointer of Git LFS and not the file itself: git lfs pull fetches it"
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        return f"{name} is compressed: unpack it, and give the table itself"
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        return f"{name} is a workbook of Excel: save the sheet as CSV, and give that"
    if start.startswith(b"\x89HDF"):
        return f"{name} is HDF5: write the table as CSV or parquet (DataFrame.to_parquet), and give that"
    if start.startswith(b"PK") and place.suffix.casefold() != ".npz":
        try:
            with zipfile.ZipFile(place) as archive:
                names = archive.namelist()[:100]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return f"{name} begins like a zip archive and is damaged or cut off: copy it again"
        if any(one.startswith("xl/") for one in names) or "content.xml" in names:
            return f"{name} is a workbook: save the sheet as CSV, and give that"
        if not names or not all(one.endswith(".npy") for one in names):
            return f"{name} is a zip archive: unpack it, and give the tables in it"
    return None
