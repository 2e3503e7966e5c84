"""`Publish`, a callback for PyTorch Lightning: the training is shown while it learns, and a run at its end."""

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fashion_forward.callbacks import Teller

if TYPE_CHECKING:
    from pytorch_lightning import Callback
else:
    try:  # both names of the package are in use, and a trainer wants the callbacks of its own
        if "lightning.pytorch" in sys.modules:
            from lightning.pytorch import Callback
        else:
            from pytorch_lightning import Callback
    except ImportError as error:
        words = "fashion_forward.lightning needs PyTorch Lightning: pip install pytorch-lightning"
        raise ImportError(words) from error

ANSWERS = ("logits", "probabilities", "preds", "predictions")  # in what a validation step gives back


class Publish(Callback):
    """Trainer(callbacks=[Publish("my-run", data="pets")]). What is logged becomes the history; after each validation
    the network's answers become the run's, and the epoch's.

    ask: (module, batch) → [n, classes], where it is not module(batch[0]); a validation step that gives back a
    dictionary with `logits` or `probabilities` is not asked again. more: as fashion_forward.callbacks.Teller takes it.
    Of several processes the first one tells, of epochs alone.
    """

    def __init__(self, name: str, data: str, *, ask: Callable[[Any, Any], Any] | None = None, **more: Any) -> None:
        super().__init__()
        self.teller, self._ask, self._wanted = Teller(name, data, **more), ask, False

    @property
    def run(self) -> Any:
        """The run, from the beginning of the training on."""
        return self.teller.run

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero:
            self.teller.begin(max(trainer.max_epochs or 0, 0), self._settings(trainer, pl_module))

    @staticmethod
    def _settings(trainer: Any, module: Any) -> dict[str, Any]:
        """The hyperparameters that module and data module keep (save_hyperparameters), the optimiser and its rate."""
        optimiser = trainer.optimizers[0] if trainer.optimizers else None
        group = optimiser.param_groups[0] if optimiser is not None else {}
        kept = [dict(getattr(one, "hparams", None) or {}) for one in (getattr(trainer, "datamodule", None), module)]
        known = {
            "epochs": trainer.max_epochs,
            "optimiser": type(optimiser).__name__ if optimiser is not None else None,
            "learning_rate": group.get("initial_lr", group.get("lr")),
            "weight_decay": group.get("weight_decay"),
        }
        return {name: value for name, value in known.items() if value is not None} | kept[0] | kept[1]

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        total = trainer.estimated_stepping_batches
        if self.run is not None and math.isfinite(total):
            self.run.step(trainer.global_step, int(total))

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._wanted = (
            not trainer.sanity_checking and trainer.world_size == 1 and self.teller.asks(trainer.current_epoch + 1)
        )

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if not self._wanted or dataloader_idx:
            return
        given = outputs if isinstance(outputs, dict) else {}
        said = next((given[name] for name in ANSWERS if name in given and given[name].ndim == 2), None)
        if said is None:
            said = self._ask(pl_module, batch) if self._ask is not None else pl_module(batch[0])
        labels = batch[1] if isinstance(batch, list | tuple) and len(batch) > 1 else None
        self.teller.answers(trainer.current_epoch + 1, said, labels)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self.run is None:
            return
        told = {name: value for name, value in trainer.callback_metrics.items() if not name.endswith("_step")}
        rate = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else None
        self.run.epoch(trainer.current_epoch + 1, **{"learning_rate": rate, **told})

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self.teller.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self.teller.fail(exception)
