"""What a page may ask and do, handed to every layout and callback."""

import contextlib
import threading
from dataclasses import dataclass, field

import numpy as np

from dashboard.data.store import Store
from dashboard.records.decisions import Decisions
from dashboard.records.feedback import Feedback
from dashboard.records.happenings import Happenings
from dashboard.records.prediction_log import Monitor
from dashboard.records.runs import Records
from dashboard.records.views import Views
from dashboard.services.adding import Adding
from dashboard.services.attacker import Attacker
from dashboard.services.datasets import DatasetRegistry
from dashboard.services.explainer import Explainer, NoExplanation
from dashboard.services.imports import Imports
from dashboard.services.jobs import Jobs
from dashboard.services.networks import Networks
from dashboard.services.ood import OodDetector
from dashboard.services.predictor import Predictor
from dashboard.services.router import Router
from dashboard.services.runs import RunRegistry
from dashboard.services.similar import Similar
from dashboard.services.staging import Staging
from ml.artifacts.reader import Broken, Missing
from ml.system import memory

BLANK = 64  # pixels: enough for everything that a photograph goes through


@dataclass(eq=False)
class Services:
    """store reads runs, jobs starts trainings; predictor, router, explainer, attacker, ood and similar ask the networks
    of the store.

    records: what people say of runs; decisions: what they decide of labels; feedback: what they say of answers;
    monitor: counts answers; happenings: who did what; views: addresses that
    people saved. read_only: nothing may be changed.
    """

    store: Store
    jobs: Jobs
    read_only: bool = False
    records: Records = field(default_factory=Records)
    decisions: Decisions = field(default_factory=Decisions)
    feedback: Feedback = field(default_factory=Feedback)
    monitor: Monitor = field(default_factory=Monitor)
    happenings: Happenings = field(default_factory=Happenings)
    views: Views = field(default_factory=Views)

    def __post_init__(self) -> None:
        networks = Networks(self.store)  # one lock and one set of kept answers for all of them
        self.predictor = Predictor(networks)
        self.explainer = Explainer(networks)
        self.attacker = Attacker(networks)
        self.ood = OodDetector(networks)
        self.router = Router(networks, self.predictor, self.ood)
        self.similar = Similar(networks)
        self.staging = Staging(self.jobs.home, read_only=self.read_only)
        self.imports = Imports(self.staging, self.jobs)
        self.adding = Adding(self.staging, self.jobs)
        self.settled = False  # whether memory was tidied after torch was loaded

    @property
    def registry(self) -> RunRegistry:
        """Deletes runs, brings them back, packs them up and takes them in."""
        return RunRegistry(self.store.library, self.jobs, self.records)

    @property
    def datasets(self) -> DatasetRegistry:
        """Describes data sets, puts them away and brings them back."""
        return DatasetRegistry(self.store.library, self.jobs, self.records)

    def warm(self, run_id: str | None = None, *, routed: bool = False) -> threading.Thread:
        """Load torch, the run and the explanations in the background; the thread, so that a caller may wait.

        routed: also the runs of other data sets that a picture of one's own is given to."""
        thread = threading.Thread(target=self._warm, args=(run_id, routed), name="network-warm", daemon=True)
        thread.start()
        return thread

    def _warm(self, run_id: str | None, routed: bool = False) -> None:
        try:
            shape = self.store.open(run_id).dataset
            blank = np.zeros((shape["height"], shape["width"], shape["channels"]), np.uint8)
            self.predictor.predict(run_id, blank, mode="none")
            with contextlib.suppress(NoExplanation):
                self.explainer.explain(run_id, blank, 0)
            self.ood.familiarity(run_id, blank)
            with contextlib.suppress(Missing):  # of a run without pictures
                self.ood.near_duplicate(run_id, blank)
            if routed:
                self.router.route(np.zeros((BLANK, BLANK, 3), np.uint8), run_id)
            if not self.settled:  # torch was loaded just now
                self.settled = True
                memory.settle()
        except (Missing, Broken):
            return  # the page says so when it asks
