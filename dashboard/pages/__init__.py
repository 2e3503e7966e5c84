"""The pages, in navigation order; each folder declares its PAGE."""

import importlib

from dashboard.components.page import Page, merged

NAMES = (
    "dashboard", "insights", "prediction", "training", "comparison", "slices", "review", "robustness", "feedback",
    "monitoring", "data",
)  # fmt: skip
PAGES: list[Page] = [importlib.import_module(f"dashboard.pages.{name}").PAGE for name in NAMES]
TABLES = merged([page.tables for page in PAGES])
VIEWS = {page.path.strip("/"): page.report for page in PAGES if page.report is not None}
