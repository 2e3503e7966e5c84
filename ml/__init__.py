"""Data sets, models, training, evaluation and the artifacts they leave behind. Never names the dashboard."""
