"""Float network of a family, used in training only, never in coding."""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import nn

from .batches import Windows, philox


class Network(nn.Module, ABC):
    """Network that predicts each symbol of a window from those before it."""

    @abstractmethod
    def forward(self, symbols: torch.Tensor) -> torch.Tensor:
        """Return logits (B, T, A) of each symbol given the earlier ones: (B, T) int64.

        Position t must not see symbols[:, t:]; the network puts its own start in front.
        """

    @abstractmethod
    def hidden(self, symbols: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return, per layer, the state after reading each position: (B, T, d)."""

    def nats(
        self,
        symbols: torch.Tensor,
        targets: torch.Tensor,
        real: torch.Tensor,
        rng: np.random.Generator,  # noqa: ARG002  (for families that draw positions)
    ) -> torch.Tensor:
        """Return the mean nats of the real targets of a batch, to be lowered.

        Args:
            symbols: (B, T) int64, what is read.
            targets: (B, T) int64, what is to be predicted: `symbols`, unless a part of
                them was replaced.
            real: (B, T) bool, False where a window is padded.
            rng: of this step; a family may take only some positions.
        """
        logits = self(symbols)  # (B, T) -> (B, T, A)
        return nn.functional.cross_entropy(logits[real], targets[real])

    def observe(self, windows: Windows) -> None:
        """Take from the training windows, before the first step, all that is no weight.

        Most networks take nothing; one that reads counts counts.
        """

    def initial_scale(self, name: str, parameter: torch.Tensor) -> float:
        """Return the standard deviation of a matrix's initial weights: 1/sqrt(n_in)."""
        del name
        return 1 / math.sqrt(parameter.shape[-1])


def initialise(network: Network, *, seed: int) -> None:
    """Set all weights from integers of numpy's Philox: the same on every machine.

    Tensors of two or more axes are uniform with the deviation that the network names;
    vectors are 0, but 1 where they are called "weight" (gains of norms).
    """
    rng = philox(seed, 0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim < 2:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
                continue
            # A uniform distribution on +-w has the deviation w / sqrt(3).
            width = math.sqrt(3) * network.initial_scale(name, parameter)
            # Integers, because floats of a generator may differ between versions of numpy.
            steps = rng.integers(-(1 << 20), (1 << 20) + 1, tuple(parameter.shape))
            uniform = steps * (width / (1 << 20))
            parameter.copy_(torch.from_numpy(uniform.astype(np.float32)))


def images_of(symbols: torch.Tensor, n_places: int) -> torch.Tensor:
    """Return the images of windows as rows of their own: (B, T) -> (B images, L).

    Args:
        symbols: of each window; the last image is padded with zeros.
        n_places: symbols of an image; 0: a window is one image.
    """
    n, length = symbols.shape
    whole = n_places or max(length, 1)
    n_images = max(1, -(-length // whole))
    padded = nn.functional.pad(symbols, (0, n_images * whole - length))
    return padded.view(n * n_images, whole)


def by_window(values: torch.Tensor, n_windows: int) -> torch.Tensor:
    """Return the images of each window: (B images, L, d) -> (B, images, L, d)."""
    return values.reshape(n_windows, -1, *values.shape[1:])


def joined_images(values: torch.Tensor, length: int) -> torch.Tensor:
    """Return images one after the other: (B, images, L, d) -> (B, length, d)."""
    return values.flatten(1, 2)[:, :length]
