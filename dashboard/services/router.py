"""Gives a picture to the run that knows its kind: one run of each data set is asked, and the likeliest answers."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO

import numpy as np

from dashboard.data.cache import Cache
from dashboard.services.networks import Network, Networks, digest
from dashboard.services.ood import OodDetector
from dashboard.services.predictor import Predictor
from ml.artifacts.reader import Broken, Missing
from ml.images.form import Prepared
from ml.images.preparation import Mode, prepare
from ml.images.upload_archives import items
from ml.inference import routing
from ml.inference.routing import AUTO, Candidate, Routed, RoutedAnswer

KEPT = 16  # pictures whose answers of every run are held, some kB each
SEPARATOR = ":"


class Router:
    """Routes for every run of a store. A request's run is AUTO, or AUTO:<run>: that one stands for its data set."""

    def __init__(self, networks: Networks, predictor: Predictor, ood: OodDetector) -> None:
        self._networks, self._predictor, self._ood = networks, predictor, ood
        self._routed = Cache(KEPT)

    @staticmethod
    def wanted(run: str) -> bool:
        """Whether a request's run leaves the choice to the router."""
        return run == AUTO or run.startswith(AUTO + SEPARATOR)

    def shown(self, run: str) -> str | None:
        """The run that stands for its own data set: the one named, the default else."""
        named = run.partition(SEPARATOR)[2]
        return named or self._networks.store.default_run()

    def ids(self, shown: str | None) -> list[str]:
        """Runs that would be asked, the shown one first; one or none where there is no choice."""
        store = self._networks.store
        runs, marks = store.runs(), store.marks()
        archived = {one.run_id for one in runs if marks.of(one.run_id).archived}
        return routing.representatives(runs, store.used(shown), archived)

    def candidates(self, shown: str | None) -> list[Candidate]:
        """The same, ready to be asked; what cannot be opened is left out. Raises Missing, Broken where nothing can."""
        ids = self.ids(shown)
        if not ids:
            self._networks.open(shown)  # says why
        found, problem = [], None
        for run_id in ids:
            try:
                found.append(self._candidate(self._networks.open(run_id)))
            except (Missing, Broken) as error:
                problem = problem or error
        if not found and problem is not None:
            raise problem
        return found

    def _candidate(self, network: Network) -> Candidate:
        learned = network.run.manifest["dataset"]

        def ask(images: np.ndarray) -> np.ndarray:
            return np.stack([self._networks.output(network, image).probabilities for image in images])

        return Candidate(
            network.run_id,
            self._networks.store.marks().name(network.run_id),
            str(learned.get("title") or learned["name"]),
            network.classes,
            network.form,
            ask,
            lambda images: self._ood.told(network.run_id, images),
            network.likeness,
        )

    def route(
        self, image: np.ndarray, shown: str | None = None, *, orientation: int = 1, mode: Mode = "auto"
    ) -> Routed:
        """image: uint8 [h, w, 1 or 3], as it came, before anything is switched, turned or cut by hand. Kept by its
        pixels. Raises Missing, Broken."""
        candidates = self.candidates(shown)
        keys = tuple((*self._networks.open(one.run_id).key, one.likeness is None) for one in candidates)

        def ready(one: Candidate) -> Prepared:
            return self._predictor.predict(one.run_id, image, orientation=orientation, mode=mode).prepared

        return self._routed.get(
            (digest(image), orientation, mode, keys),
            lambda: routing.route(image, candidates, ready=ready),
        )

    def glance(self, image: np.ndarray, shown: str | None, *, orientation: int = 1) -> str:
        """Id of the run that answers a frame of a camera, prepared the quick way; nothing is kept of the frame."""
        candidates = self.candidates(shown)
        if len(candidates) == 1:
            return candidates[0].run_id

        def ready(one: Candidate) -> Prepared:
            return prepare(image, one.form, orientation=orientation, ways=("quick",))

        return routing.route(image, candidates, ready=ready).first.run_id

    def answers(
        self,
        shown: str | None,
        sources: Iterable[tuple[str, IO[bytes]]],
        *,
        mode: Mode = "auto",
        engine: str = "torch",
    ) -> tuple[list[Candidate], Iterator[RoutedAnswer]]:
        """Many pictures: the runs that are asked, and one answer a file, made as they are taken. Raises Missing, Broken
        before the first is made, as where one of these runs has no such engine. sources, engine: as of
        Predictor.answers; which run answers, its own engine says."""
        candidates = self.candidates(shown)
        for one in candidates:
            self._networks.open(one.run_id).engine(engine)
        classes = tuple(dict.fromkeys(name for one in candidates for name in one.classes))
        answers = routing.answers(items(sources, known=classes), candidates, mode=mode)
        return candidates, (self._by(one, engine) for one in answers)

    def _by(self, routed: RoutedAnswer, engine: str) -> RoutedAnswer:
        """The same answer, computed by another engine of the run that gives it."""
        if engine == "torch" or routed.routed is None:
            return routed
        first, *others = routed.routed.asked
        output = self._networks.output(self._networks.open(first.run_id), first.prepared.image, engine)
        asked = (replace(first, probabilities=output.probabilities), *others)
        answer = replace(
            routed.answer, probabilities=output.probabilities, seconds=routed.answer.seconds + output.seconds
        )
        return RoutedAnswer(answer, replace(routed.routed, asked=asked))
