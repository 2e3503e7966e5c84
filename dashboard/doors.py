"""The doors a page may go through, handed to every layout and callback."""

from dataclasses import dataclass

from dashboard.jobs import Jobs
from dashboard.predictor import Predictor
from dashboard.store import Store


@dataclass(frozen=True)
class Doors:
    """store reads runs, predictor asks a network, jobs starts trainings. read_only: nothing may be changed."""

    store: Store
    predictor: Predictor
    jobs: Jobs
    read_only: bool = False
