"""GET /api/v1/happenings and /export/happenings.csv: who did what, and when."""

from flask import Flask, Response, request
from pydantic import Field

from dashboard.api.exports import attached
from dashboard.api.feedback import kept, moment
from dashboard.api.openapi import Count, Operation, Reply, ResponseModel
from dashboard.format.csv import as_csv, guarded_cell
from dashboard.records.happenings import SHOWN, Happening, Wanted
from dashboard.services.container import Services
from dashboard.web.errors import RequestError
from ml.people.acting import ACTS
from ml.system.wording import shows

PATH = "/api/v1/happenings"
PRIVATE = "A read-only server does not show who did what."
COLUMNS = ("number", "when", "who", "act", "about", "what")
LONGEST = 120  # characters of a filter


class Happened(ResponseModel):
    number: Count = Field(description="The order in which things were done.")
    when: str = Field(description="In UTC.")
    who: str = Field(description="A name that was proved; '' where nobody had one.")
    act: str = Field(description=f"One of {', '.join(ACTS)}.")
    about: str = Field(description="The run, data set or account.")
    what: str = Field(description="In words.")


class WhatHappened(ResponseModel):
    happenings: list[Happened]


OPERATIONS = (
    Operation(
        PATH,
        "get",
        "happenings",
        f"Who did what, newest first, {SHOWN:,} lines at most.",
        {200: Reply("The lines.", WhatHappened)},
        description="The query narrows the list: who (a name, - for nobody's), act, text (in about and what), "
        "before (a line's number: those that are older).",
    ),
)


def register(server: Flask, services: Services) -> None:
    """Add both to the server."""

    @server.get(PATH)
    def list_happenings() -> Response:
        rows = services.happenings.listing(wanted(services), SHOWN)
        return kept(WhatHappened(happenings=[Happened(**line(one)) for one in rows]), 200)

    @server.get("/export/happenings.csv")
    def export_happenings() -> Response:
        rows = [line(one) for one in services.happenings.listing(wanted(services))]
        cells = [[guarded_cell(row[name]) for name in COLUMNS] for row in rows]
        return attached(as_csv(list(COLUMNS), cells, None), "happenings.csv")


def wanted(services: Services) -> Wanted:
    """What the address of the current request asks for. Raises RequestError."""
    if services.read_only:
        raise RequestError(403, PRIVATE)
    given = {name: request.args.get(name, "").strip() for name in ("who", "act", "text", "before")}
    if any(len(text) > LONGEST or not shows(text) for text in given.values()):
        raise RequestError(400, f"A filter is at most {LONGEST} characters that can be shown.")
    if given["act"] and given["act"] not in ACTS:
        raise RequestError(400, f"act must be one of {', '.join(ACTS)}.")
    before = given.pop("before")
    if before and not (before.isascii() and before.isdigit() and len(before) <= 9):
        raise RequestError(400, "before must be a line's number.")
    return Wanted(**given, before=int(before or 0))


def line(one: Happening) -> dict[str, int | str]:
    """As it leaves the app."""
    return {
        "number": one.number, "when": moment(one.at), "who": one.who, "act": one.act, "about": one.about,
        "what": one.words,
    }  # fmt: skip
