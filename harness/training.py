"""What a model that is trained in steps promises beyond `fit`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self, TypeVar

from harness.compressor import Compressor

AnyCompressor = TypeVar("AnyCompressor", bound=Compressor)


class Trains(ABC):
    """A model that learns in steps, and can be given fewer of them."""

    @abstractmethod
    def budgeted(self, steps: int) -> Self:
        """Return the same model, whose next fit takes `steps`, whatever it knows."""


def with_budget(compressor: AnyCompressor, steps: int | None) -> AnyCompressor:
    """Return the compressor whose fits take so many steps, where it is trained in steps.

    None leaves what its spec says; what learns without steps stays as it is.
    """
    if steps is None or not isinstance(compressor, Trains):
        return compressor
    return compressor.budgeted(steps)
