"""Runs on their way out of here and in again: archive, card, report, tracking, what ships."""
