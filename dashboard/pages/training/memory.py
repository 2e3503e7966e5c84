"""What the Training page keeps in the browser: names of rows and versions, never the rows."""

from enum import StrEnum

ACTIVE_MS, IDLE_MS = 500, 3000  # between two ticks, while a training runs and otherwise


class Memory(StrEnum):
    """One store each. A change makes the panels that listen to it draw again."""

    TICK = "training-live-interval"
    LIVE = "training-live-state"  # the job in front, as `live.state` sums it up
    FRONT = "training-front-state"  # which job is in front
    SHOWN = "training-shown-state"  # which job this tab asked to see; none: the one that matters most just now
    CURVES = "training-curves-state"  # what the curves show
    QUEUE = "training-queue-state"  # which jobs the queue and the history list
    TABLE = "training-runs-state"  # which rows the table shows
    DATA = "training-data-state"  # which data sets can be chosen, and whether one is being fetched
    LOG = "training-log-state"  # how much of which log is shown
    TICKET = "training-ticket-state"  # the attempt this tab asked for: triggers the background callback
    RELAY = "training-relay-state"  # what the background callback told last
    # what it told at its end. Nothing may listen to it: Dash holds back a callback while one of its inputs is made
    RELAYED = "training-relayed-state"
    ACTED = "training-acted-state"  # changes when this tab cancelled or resumed something
    INTENT = "training-intent-state"  # names one wish to start: two quick clicks are one job
    # what a button with data-act asks for, written by assets/training.js: {"act", "of"}; the acts are those of ACTS
    REQUEST = "training-asked-state"
    COPY = "training-copy-state"  # whose settings the form shall take: {"of": "run:<id>" or "job:<id>"}
    BASIS = "training-basis-state"  # what the form was filled from: {"preset", "title", "values", "texts"}
    FIELDS = "training-fields-state"  # name, id and label of each field, for assets/training.js
    PRESETS = "training-presets-state"  # the presets as BASIS has them


ACTS = ("cancel", "resume", "discard")
SHELL_RUNS = "app-runs-state"  # the shell's: the run picker reads the listing again when it changes
