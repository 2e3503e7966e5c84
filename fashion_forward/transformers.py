"""`Publish`, a callback for the Trainer of Hugging Face: the training is shown while it learns, and a run at its
end."""

import dataclasses
import math
import re
from typing import TYPE_CHECKING, Any

from fashion_forward.callbacks import Teller

if TYPE_CHECKING:
    from transformers import TrainerCallback
else:
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        words = "fashion_forward.transformers needs Hugging Face's Trainer: pip install transformers accelerate"
        raise ImportError(words) from error

USUAL = (
    "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "weight_decay",
    "lr_scheduler_type", "warmup_ratio", "optim", "label_smoothing_factor", "seed",
)  # fmt: skip

BESIDE = re.compile(
    "logging|report|eval|save|disable|dataloader|accelerator|debug|do_|use_cpu|hub|push|run_name|output|load"
)
"""How the names of arguments begin that have no part in what is learned."""


def _usual(field: Any) -> tuple[Any, ...]:
    """What an argument is by itself: None too, which is what many are until they are looked at."""
    made = () if field.default_factory is dataclasses.MISSING else (field.default_factory(),)
    return (None, *made) if field.default is dataclasses.MISSING else (None, field.default)


class Publish(TrainerCallback):
    """Trainer(callbacks=[Publish("my-run", data="pets")]). What is logged and evaluated becomes the history; after each
    evaluation (eval_strategy="epoch") the network is asked about the pictures of the evaluation's loader.

    more: as fashion_forward.callbacks.Teller takes it. Of several processes the first one tells, of epochs alone.
    """

    def __init__(self, name: str, data: str, **more: Any) -> None:
        self.teller = Teller(name, data, **{"values": "logits", **more})  # as the library's classifiers give them
        self._told: dict[str, Any] = {}
        self._number = 0

    @property
    def run(self) -> Any:
        """The run, from the beginning of the training on."""
        return self.teller.run

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.is_world_process_zero:
            self.teller.begin(math.ceil(args.num_train_epochs), self._settings(args))

    @staticmethod
    def _settings(args: Any) -> dict[str, Any]:
        """Of its arguments, of which there are more than a hundred: the usual ones, and those that are not as they
        would be by themselves."""
        # Not by making another one: that resets the state of Accelerate, which the trainer is in.
        known = {one.name: one for one in dataclasses.fields(args) if one.init and not BESIDE.match(one.name)}
        return {
            name: value for name, value in args.to_dict().items()
            if name in USUAL or (name in known and getattr(args, name) not in _usual(known[name]))
        }  # fmt: skip

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.run is not None and state.max_steps > 0:
            self.run.step(state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        known = {"loss": "loss", "learning_rate": "learning_rate"}
        self._told |= {known[name]: value for name, value in (logs or {}).items() if name in known}

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._tell()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._number = max(round(state.epoch), 1)  # told when its evaluation is over, which comes after this

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, model: Any = None, eval_dataloader: Any = None,
        **more: Any,
    ) -> None:  # fmt: skip
        number = max(round(state.epoch or 0), 1)
        if self.run is None or number != self._number:  # within an epoch, or after the training
            return
        timings = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "epoch")
        self._told |= {name: value for name, value in (metrics or {}).items() if name not in timings}
        if eval_dataloader is not None and args.world_size == 1 and self.teller.asks(number):
            self._ask(model, eval_dataloader, number)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._tell()
        self.teller.end()

    def _tell(self) -> None:
        if self.run is not None and self._number > self.run.last_epoch:
            self.run.epoch(self._number, **self._told)
            self._told = {}

    def _ask(self, model: Any, loader: Any, number: int) -> None:
        import torch

        before = model.training
        model.eval()
        with torch.inference_mode():
            for batch in loader:
                inputs = {name: value.to(model.device) for name, value in batch.items() if hasattr(value, "to")}
                labels = inputs.pop("labels", None)
                self.teller.answers(number, model(**inputs).logits, labels)
        model.train(before)
