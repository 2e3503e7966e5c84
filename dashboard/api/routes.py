"""Every route of the app that is no page of Dash's, registered in one place."""

from flask import Flask

from dashboard.api import (
    batch,
    decisions,
    explain,
    exports,
    feedback,
    health,
    images,
    metrics,
    openapi,
    predict,
    runs,
    whatif,
)
from dashboard.api.openapi import Operation
from dashboard.services.container import Services

GROUPS = (predict, batch, explain, whatif, runs, feedback, decisions, images, exports, metrics, health)


def described() -> list[Operation]:
    """What stands in the OpenAPI document; routes of pages' own scripts do not."""
    groups = (predict, batch, explain, whatif, runs, feedback)
    return [operation for group in groups for operation in group.OPERATIONS]


def register(server: Flask, services: Services) -> None:
    """Add all of them to the server."""
    for group in GROUPS:
        group.register(server, services)
    openapi.register(server, described())
