"""Figures: data first, options by keyword, a plotly figure as a plain dict out. No dash here."""
