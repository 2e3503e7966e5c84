"""Runs that somebody's own script publishes: what it tells is kept on the disk, shown while it learns, and made a
run."""
