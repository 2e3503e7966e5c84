"""The doors a page may go through, handed to every layout and callback."""

from dataclasses import dataclass, field

from dashboard.data.store import Store
from dashboard.records.decisions import Decisions
from dashboard.records.feedback import Feedback
from dashboard.records.prediction_log import Monitor
from dashboard.records.runs import Records
from dashboard.services.jobs import Jobs
from dashboard.services.predictor import Predictor
from dashboard.services.runs import RunRegistry


@dataclass(frozen=True)
class Services:
    """store reads runs, predictor asks a network, jobs starts trainings, shelf puts runs away and takes them in.

    records: what people say of runs; decisions: what they decide of labels; feedback: what they say of answers;
    monitor: counts answers. read_only: nothing may be changed.
    """

    store: Store
    predictor: Predictor
    jobs: Jobs
    read_only: bool = False
    records: Records = field(default_factory=Records)
    decisions: Decisions = field(default_factory=Decisions)
    feedback: Feedback = field(default_factory=Feedback)
    monitor: Monitor = field(default_factory=Monitor)

    @property
    def registry(self) -> RunRegistry:
        """Deletes runs, brings them back, packs them up and takes them in."""
        return RunRegistry(self.store.library, self.jobs, self.records)
