"""Every route of the app that is no page of Dash's, registered in one place."""

from collections.abc import Mapping

from flask import Flask

from dashboard.api import (
    batch,
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
    whatif,
)
from dashboard.api.openapi import Operation
from dashboard.exports import report, tables
from dashboard.services.container import Services

GROUPS = (predict, batch, explain, whatif, runs, feedback, decisions, images, metrics, glossary, happenings, health)


def described() -> list[Operation]:
    """What stands in the OpenAPI document; routes of pages' own scripts do not."""
    groups = (predict, batch, explain, whatif, runs, feedback, happenings)
    return [operation for group in groups for operation in group.OPERATIONS]


def register(
    server: Flask, services: Services, builders: Mapping[str, tables.Builder], views: Mapping[str, report.Show]
) -> None:
    """Add all of them to the server. builders, views: what the pages offer as tables and reports, by name."""
    for group in GROUPS:
        group.register(server, services)
    exports.register(server, services, builders, views)
    openapi.register(server, described())
