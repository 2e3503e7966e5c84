"""Work that is cut into shards, which several processes do: what such work offers, and what has it done."""

from pathlib import Path
from typing import Protocol


class Shards(Protocol):
    """Work in `n` shards, numbered from 0. A shard's result is in a file that others see; to do one twice does no harm.

    name: of this very work, the same wherever it is opened, and another one for anything else.
    """

    name: str
    n: int

    def do(self, number: int) -> None:
        """Do one and leave its result, whole or not at all."""

    def there(self, number: int) -> bool:
        """Whether a shard's result is there."""

    def last(self, number: int) -> bool:
        """Whether the result of a shard, which is there, makes those behind it needless."""

    def tell(self, done: int) -> None:
        """So many are there. May raise what ends the work."""


class Share(Protocol):
    """What has shards done by this process and others. folder: for their results, on a disk that all of them see."""

    folder: Path

    def __call__(self, shards: Shards, /) -> None:
        """Returns once all are there that are needed. Raises what doing and telling raise."""
