"""/api/v1/views: addresses that people saved under a name; listed, fetched, saved, described, deleted, brought back."""

from collections.abc import Callable, Mapping
from typing import Annotated

from flask import Flask, Response, request
from pydantic import Field

from dashboard.analysis import saved_views
from dashboard.api.feedback import kept, moment
from dashboard.api.openapi import Count, Operation, Parameter, Reply, ResponseModel
from dashboard.api.requests import ChangeRequest, Sentence, body, writable
from dashboard.records.rows import Declined
from dashboard.records.views import ACT, DESCRIPTION, GONE, NAME, SHOWN, View, Wanted
from dashboard.services.container import Services
from dashboard.state.query import CHARACTERS
from dashboard.web.errors import RequestError
from ml.artifacts.reader import Missing
from ml.system.wording import shows

PATH = "/api/v1/views"
ONE = f"{PATH}/{{number}}"
LONGEST = 120  # characters of a filter
MAX_NUMBER = 2**31 - 1
ALL_RUNS = "Of all data sets"
Name = Annotated[
    str,
    Field(description=f"1 to {NAME} characters in one line; one view of a page and data set has it."),
    Sentence(f"Name: 1 to {NAME} characters that can be shown."),
]
Description = Annotated[
    str | None,
    Field(description=f"Up to {DESCRIPTION} characters."),
    Sentence(f"Description: up to {DESCRIPTION} characters that can be shown."),
]


class SaveView(ChangeRequest):
    WHOLE = "Send an object: name, description, link."

    name: Name
    description: Description = ""
    link: Annotated[
        str,
        Field(
            max_length=CHARACTERS,
            description="A page of this app with its query, /insights?run=…; run, data, split and the run compared "
            "with are written out where it leaves them to be taken for granted.",
        ),
        Sentence(f"Link: a page of this app with its query, up to {CHARACTERS:,} characters."),
    ]


class DescribeView(ChangeRequest):
    WHOLE = "Send an object: name, description."

    name: Name
    description: Description = ""


class SavedView(ResponseModel):
    number: Count
    name: str
    description: str
    page: str = Field(description="Path of the page.")
    title: str = Field(description="What the page is called.")
    link: str = Field(description="The page with its query: the view.")
    run: str = Field(description="The run it is of; '' where it is of all.")
    dataset: str = Field(description="The name of its data set; '' where it is of all.")
    dataset_title: str = Field(description="What the data set is called.")
    data: str = Field(description="Digest of the images.")
    split: str
    who: str = Field(description="Saved it; '' where nobody had a name, and on a read-only server.")
    when: str = Field(description="In UTC.")
    gone: str = Field(description="What it showed and cannot show any more, in words; '' where all of it is here.")


class Group(ResponseModel):
    name: str
    title: str
    n: Count = Field(description="How many views, whatever the query asks for.")


class SavedViews(ResponseModel):
    views: list[SavedView] = Field(description=f"The newest first, {SHOWN} at most; before=… has those after them.")
    n: Count = Field(description="How many there are of those that are asked for.")
    pages: list[Group]
    datasets: list[Group]
    locked: str = Field(description="Why whoever asks may not save, describe or delete views; '' where they may.")


NUMBER = Parameter("number", "Of a view.", {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER}, required=True)
TEXT = {"type": "string", "maxLength": LONGEST}
FILTERS = (
    Parameter("text", "Words in name, description, run or who.", TEXT),
    Parameter("page", "Path of a page.", TEXT),
    Parameter("dataset", "Name of a data set.", TEXT),
    Parameter("before", "A view's number: those that were saved earlier.", {"type": "integer", "minimum": 1}),
)
CHANGE = (404, 405, 409, 413, 415, 422, 503)
OPERATIONS = (
    Operation(
        PATH, "get", "views", "Saved views.", {200: Reply("The newest.", SavedViews)}, (503,), parameters=FILTERS
    ),
    Operation(
        PATH, "post", "save_view", "Save a view. On the disk when this answers.",
        {201: Reply("It is kept.", SavedView), 200: Reply("The same was kept already.", SavedView)}, CHANGE,
        body=SaveView,
    ),
    Operation(ONE, "get", "view", "A saved view.", {200: Reply("It.", SavedView)}, (404, 503), parameters=(NUMBER,)),
    Operation(
        ONE, "post", "describe_view", "Give a view another name and description.", {200: Reply("It.", SavedView)},
        CHANGE, body=DescribeView, parameters=(NUMBER,),
    ),
    Operation(
        ONE, "delete", "delete_view", "Delete a view.", {200: Reply("It.", SavedView)}, CHANGE, parameters=(NUMBER,)
    ),
    Operation(
        f"{ONE}/restore", "post", "restore_view", "Bring a deleted view back.", {200: Reply("It.", SavedView)}, CHANGE,
        parameters=(NUMBER,),
    ),
)  # fmt: skip


def register(server: Flask, services: Services, pages: Mapping[str, str]) -> None:
    """Add them to the server. pages: title by path."""

    def told(one: View) -> SavedView:
        return teller(services, pages)(one)

    @server.get(PATH)
    def list_views() -> Response:
        return kept(listed(services, pages), 200)

    @server.post(PATH)
    def save_view() -> Response:
        writable(services)
        fields = body(SaveView)
        services.views.permit(ACT)
        view = saved_views.of_link(services.store, fields.link, pages)
        saved, new = services.views.save(fields.name, fields.description, view)
        return kept(told(saved), 201 if new else 200)

    @server.get(f"{PATH}/<number>")
    def fetch_view(number: str) -> Response:
        return kept(told(services.views.get(numbered(number))), 200)

    @server.post(f"{PATH}/<number>")
    def describe_view(number: str) -> Response:
        writable(services)
        fields = body(DescribeView)
        return kept(told(services.views.describe(numbered(number), fields.name, fields.description)), 200)

    @server.delete(f"{PATH}/<number>")
    def delete_view(number: str) -> Response:
        return kept(told(services.views.remove(numbered(number))), 200)

    @server.post(f"{PATH}/<number>/restore")
    def restore_view(number: str) -> Response:
        return kept(told(services.views.restore(numbered(number))), 200)


def numbered(number: str) -> int:
    """A number that a view may have. Raises Missing."""
    if not (number.isascii() and number.isdigit() and len(number) <= 10 and 1 <= int(number) <= MAX_NUMBER):
        raise Missing(GONE)
    return int(number)


def listed(services: Services, pages: Mapping[str, str]) -> SavedViews:
    """What the address of the current request asks for. Raises RequestError, Closed."""
    found, names = services.views.listing(wanted()), saved_views.titles(services.store)
    told = teller(services, pages)
    return SavedViews(
        views=[told(one) for one in found.views],
        n=found.n,
        pages=[Group(name=path, title=pages.get(path, path), n=n) for path, n in found.pages.items()],
        datasets=[Group(name=one, title=names.get(one, one) or ALL_RUNS, n=n) for one, n in found.datasets.items()],
        locked=locked(services),
    )


def wanted() -> Wanted:
    """Raises RequestError."""
    given = {name: request.args.get(name, "").strip() for name in ("text", "page", "dataset", "before")}
    if any(len(text) > LONGEST or not shows(text) for text in given.values()):
        raise RequestError(400, f"A filter is at most {LONGEST} characters that can be shown.")
    before = given.pop("before")
    if before and not (before.isascii() and before.isdigit() and len(before) <= 9):
        raise RequestError(400, "before must be a view's number.")
    return Wanted(**given, before=int(before or 0))


def locked(services: Services) -> str:
    """Why whoever sent the current request may change nothing, '' where they may."""
    try:
        services.views.permit(ACT)
    except Declined as no:
        return str(no)
    return ""


def teller(services: Services, pages: Mapping[str, str]) -> Callable[[View], SavedView]:
    """What makes views of the database the API's, of this request."""
    names, gone = saved_views.titles(services.store), saved_views.gone_of(services.store)

    def told(one: View) -> SavedView:
        return SavedView(
            number=one.number, name=one.name, description=one.description, page=one.page,
            title=pages.get(one.page, one.page), link=one.page + one.search, run=one.run, dataset=one.dataset,
            dataset_title=names.get(one.dataset, one.dataset) or ALL_RUNS, data=one.data, split=one.split,
            who="" if services.read_only else one.who,  # a public demo names nobody
            when=moment(one.at), gone=gone(one),
        )  # fmt: skip

    return told
