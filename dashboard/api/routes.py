"""Every route of the app that is no page of Dash's, registered in one place."""

from collections.abc import Mapping, Sequence

from flask import Flask

from dashboard.api import (
    adding,
    batch,
    brought,
    datasets,
    decisions,
    explain,
    exports,
    feedback,
    glossary,
    happenings,
    health,
    images,
    metrics,
    openapi,
    predict,
    runs,
    search,
    uploads,
    views,
    whatif,
)
from dashboard.api.openapi import Operation
from dashboard.exports import report, tables
from dashboard.services.container import Services

GROUPS = (
    predict, batch, explain, whatif, runs, feedback, decisions, images, metrics, glossary, happenings, health, uploads,
    brought, datasets, adding,
)  # fmt: skip


def described() -> list[Operation]:
    """What stands in the OpenAPI document; routes of pages' own scripts do not."""
    groups = (predict, batch, explain, whatif, runs, adding, feedback, happenings, views)
    return [operation for group in groups for operation in group.OPERATIONS]


def register(
    server: Flask,
    services: Services,
    builders: Mapping[str, tables.Builder],
    reports: Mapping[str, report.Show],
    pages: Sequence[tuple[str, str]],
) -> None:
    """Add all of them to the server. builders, reports: what the pages offer as such, by name.

    pages: (path, title) of each.
    """
    for group in GROUPS:
        group.register(server, services)
    search.register(server, services, pages)
    views.register(server, services, dict(pages))
    exports.register(server, services, builders, reports)
    openapi.register(server, described())
