"""`Publish`, a callback for Keras 3 on any backend: the training is shown while it learns, and a run at its end."""

from typing import TYPE_CHECKING, Any

from fashion_forward.callbacks import Teller

if TYPE_CHECKING:

    class Callback:
        """Of Keras, which publishes no types."""

        model: Any
        params: dict[str, Any]

else:
    try:
        from keras.callbacks import Callback
    except ImportError as error:
        raise ImportError("fashion_forward.keras needs Keras: pip install keras") from error


class Publish(Callback):
    """model.fit(…, callbacks=[Publish("my-run", data="pets", pictures=x_validation)]). What is measured becomes the
    history; after each epoch the network is asked about `pictures`, as it takes them: an array, or whatever else
    model.predict does in a fixed order.

    more: as fashion_forward.callbacks.Teller takes it; `labels` are those of the pictures here, where they shall be
    held against the data set's.
    """

    def __init__(self, name: str, data: str, *, pictures: Any = None, labels: Any = None, **more: Any) -> None:
        super().__init__()
        self.teller, self._pictures, self._labels = Teller(name, data, **more), pictures, labels
        self._done = 0

    @property
    def run(self) -> Any:
        """The run, from the beginning of the training on."""
        return self.teller.run

    def on_train_begin(self, logs: Any = None) -> None:
        self.teller.begin(self.params.get("epochs") or 0, self._settings())
        self._done = 0

    def _settings(self) -> dict[str, Any]:
        """The epochs, the loss, and the optimiser with its own settings."""
        optimiser, loss = self.model.optimizer, self.model.loss
        return {
            "epochs": self.params.get("epochs"),
            "loss": loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__),
            "optimiser": type(optimiser).__name__,
            **{name: value for name, value in optimiser.get_config().items() if name != "name" and value is not None},
        }

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._done += 1
        steps = self.params.get("steps")
        if steps and self.teller.epochs:
            self.run.step(self._done, steps * self.teller.epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        rate = getattr(self.model.optimizer, "learning_rate", None)
        if self._pictures is not None and self.teller.asks(epoch + 1):
            said = self.model.predict(self._pictures, verbose=0)
            self.teller.answers(epoch + 1, said, self._labels)
        self.run.epoch(epoch + 1, **{"learning_rate": rate, **(logs or {})})

    def on_train_end(self, logs: Any = None) -> None:
        self.teller.end()
