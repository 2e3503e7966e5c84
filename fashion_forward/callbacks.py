"""What the callbacks for frameworks share: the run that they tell of, begun when a training begins."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fashion_forward.published import publish
from ml.telling.run import Run
from ml.telling.settings import settings as plain_settings


class Teller:
    """A run of a framework's training. name, data, more: as `fashion_forward.publish` takes them; split: of the
    pictures that are validated on; ids: which they are, in the loader's order (numbers, paths or names), None for
    all of the split in the order of their ids; every: of how many epochs one has answers, the last too; labels:
    whether the loader's labels are held against the data set's; finish: publish when the training ends (False: `run`
    stays open, to give it a network, until run.close())."""

    def __init__(
        self, name: str, data: str, *, split: str = "validation", ids: Any = None, every: int = 1, labels: bool = True,
        finish: bool = True, **more: Any,
    ) -> None:  # fmt: skip
        self.run: Run | None = None
        self.split, self.ids, self.every, self.labels, self._finish = split, ids, max(int(every), 1), labels, finish
        self._name, self._data, self._more, self._at = name, data, more, 0
        self.epochs = 0

    def begin(self, epochs: int, settings: Mapping[str, Any] = MappingProxyType({})) -> None:
        """The training begins. A run that is open from a training before goes on. settings: as the framework knows
        them, beside what the script says itself."""
        self.epochs = epochs
        if self.run is None or not self.run.open:
            self.run = publish(self._name, self._data, epochs=epochs, **self._more)
        told = plain_settings(self._more.get("settings") or {})
        self.run.settings({name: value for name, value in plain_settings(settings).items() if name not in told})

    def asks(self, number: int) -> bool:
        """Whether this epoch's answers are wanted; then those of the first picture come next."""
        self._at = 0
        return self.run is not None and (number % self.every == 0 or number == self.epochs)

    def answers(self, number: int, said: Any, labels: Any) -> None:
        """Of a batch of the loader."""
        if self.run is None:
            return
        start, self._at = self._at, self._at + len(said)
        ids = None if self.ids is None else self.ids[start : self._at]
        self.run.predictions(self.split, ids, said, epoch=number, labels=labels if self.labels else None)

    def end(self) -> None:
        """The training has ended well."""
        if self._finish and self.run is not None and self.run.open:
            self.run.close()

    def fail(self, error: BaseException) -> None:
        """The training ended with an error; what was told stays."""
        if self.run is not None and self.run.open:
            self.run.__exit__(type(error), error, None)
