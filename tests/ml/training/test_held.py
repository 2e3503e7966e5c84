"""Training pictures: few are in memory once, many are read batch by batch."""

import numpy as np
import pytest
import torch

from ml.data.images import Images
from ml.training import held as held_module
from ml.training.held import Mapped, held

CPU = torch.device("cpu")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (20, 5, 4, 3), np.uint8)


def test_what_is_in_memory_is_not_there_twice(images):
    tensor = held(images, CPU)
    assert tensor.data_ptr() == images.ctypes.data
    assert tensor.shape == (20, 3, 5, 4)
    assert torch.equal(tensor[torch.tensor([3])], torch.from_numpy(images[3:4]).permute(0, 3, 1, 2))


def test_what_nobody_may_write_to_is_copied(images):
    images.flags.writeable = False
    assert held(images, CPU).data_ptr() != images.ctypes.data


def test_few_of_a_file_are_read_at_once_and_many_when_they_are_asked_for(images, monkeypatch):
    assert torch.equal(held(Images(images), CPU), held(images, CPU))
    monkeypatch.setattr(held_module, "HELD_BYTES", images.nbytes - 1)
    mapped, rows = held(Images(images), CPU), torch.tensor([7, 2])
    assert isinstance(mapped, Mapped)
    assert torch.equal(mapped[rows], held(images, CPU)[rows])
    assert torch.equal(torch.cat([*mapped.split(6)]), held(images, CPU))
