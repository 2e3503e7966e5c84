"""One training by several processes: `torchrun --nproc-per-node 2 -m ml train …`, on processors or graphics cards.

Every process draws the same batches in the same order and works on its share of each; the gradients are added up before
every step. So the recipe, the number of steps and, but for rounding and batch statistics, the result are those of one
process. Only the first process scores, writes and reports.
"""

import atexit
import os
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class DistributedContext:
    """The processes of a training. rank: which one this is; size: how many; local: its place on this machine."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process scores, writes and reports."""
        return self.rank == 0

    def device(self) -> torch.device:
        """A graphics card of this process's own, where there are any."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", self.local % torch.cuda.device_count()) if self.size > 1 else torch.device("cuda")

    def part(self, n: int) -> tuple[slice, float]:
        """This process's rows of a batch of n, and how much their mean counts in the batch's: shares add up to 1.

        A batch of fewer than two rows each is the first one's alone, since batch statistics need two; the others
        compute it as well, and count for nothing.
        """
        if self.size == 1:
            return slice(None), 1.0
        if n < 2 * self.size:
            return slice(None), float(self.leads)
        start, end = n * self.rank // self.size, n * (self.rank + 1) // self.size
        return slice(start, end), (end - start) / n

    def add_gradients(self, model: nn.Module, share: float) -> None:
        """Replace each gradient by the sum over the processes of share times theirs: that of the whole batch."""
        if self.size == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients]) * share
        distributed.all_reduce(flat)
        for gradient, whole in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(whole.view_as(gradient))

    def add(self, *numbers: float) -> list[float]:
        """The sums over the processes."""
        if self.size == 1:
            return list(numbers)
        together = torch.tensor(numbers, dtype=torch.float64, device="cpu" if self._gloo else self.device())
        distributed.all_reduce(together)
        return together.tolist()

    def average_statistics(self, model: nn.Module) -> None:
        """Give every process the mean of the batch statistics that each gathered from its shares."""
        if self.size == 1:
            return
        for buffer in model.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.size

    @property
    def _gloo(self) -> bool:
        return distributed.get_backend() == "gloo"


def join() -> DistributedContext:
    """Meet the other processes that torchrun started; a team of one without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        cards = torch.cuda.is_available() and torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"])
        if cards:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if cards else "gloo")
        atexit.register(_part)
    return team()


def leave() -> None:
    """Part from the other processes once all are here: one that ends while others still talk to it may crash."""
    if team().size > 1:
        distributed.barrier()
        _part()


def _part() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def team() -> DistributedContext:
    """The team that this process has joined."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return DistributedContext()
    return DistributedContext(
        distributed.get_rank(), distributed.get_world_size(), int(os.environ.get("LOCAL_RANK", "0"))
    )


def threads(cores: int) -> int:
    """How many of this machine's cores are this process's."""
    return max(cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
