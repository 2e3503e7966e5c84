"""The pages, in navigation order: modules with PATH, TITLE, layout(doors, selection) and register(app, doors)."""

import importlib

NAMES = (
    "dashboard", "insights", "prediction", "training", "comparison", "slices", "review", "robustness", "feedback",
    "monitoring",
)  # fmt: skip
PAGES = [importlib.import_module(f"dashboard.pages.{name}") for name in NAMES]
