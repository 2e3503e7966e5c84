"""What the Training page keeps in the browser: names of rows and versions, never the rows."""

from enum import StrEnum


class Memory(StrEnum):
    """One store each. A change makes the panels that listen to it draw again."""

    TICK = "training-live-interval"
    LIVE = "training-live-state"  # the job in front, as `live.state` sums it up
    CURVES = "training-curves-state"  # which epochs are drawn
    TABLE = "training-runs-state"  # which rows the table shows
    DATA = "training-data-state"  # which data sets can be chosen, and whether one is being fetched
    TICKET = "training-ticket-state"  # the attempt this tab asked for: triggers the background callback
    RELAY = "training-relay-state"  # what the background callback told last
    # what it told at its end. Nothing may listen to it: Dash holds back a callback while one of its inputs is made
    RELAYED = "training-relayed-state"
    ACTED = "training-acted-state"  # changes when this tab cancelled or resumed something
    INTENT = "training-intent-state"  # names one wish to start: two quick clicks are one job


SHELL_RUNS = "app-runs-state"  # the shell's: the run picker reads the listing again when it changes
