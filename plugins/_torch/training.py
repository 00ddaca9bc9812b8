"""The one training loop: batches by number, AdamW, a moving average, checkpoints."""

import copy
import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from harness import SpecError

from .batches import Windows, philox
from .network import Network
from .recipe import Recipe, Watch

THREADS_VARIABLE = "BITPROBE_TORCH_THREADS"
DEVICE_VARIABLE = "BITPROBE_DEVICE"
BETAS = (0.9, 0.99)
EPSILON = 1e-8
SMOOTHING = 0.05
"""Weight of the last step in the bits that are reported."""

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


@contextmanager
def few_threads() -> Iterator[None]:
    """Compute with one thread, or as many as BITPROBE_TORCH_THREADS says; then as before.

    Small networks on busy cores are many times slower with two threads than with one.
    """
    before = torch.get_num_threads()
    wanted = int(os.environ.get(THREADS_VARIABLE, "1"))
    if wanted != before:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if wanted != before:
            torch.set_num_threads(before)


def device_for(wanted: str) -> str:
    """Return "cpu" or "cuda" for a model's device.

    "auto" is what BITPROBE_DEVICE says (`bitprobe run --device`): there, "auto" takes a GPU
    where there is one. Without the variable it is the CPU.
    """
    named = os.environ.get(DEVICE_VARIABLE, "cpu") if wanted == "auto" else wanted
    if named == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return named


class Trainer(Generic[AnyNetwork]):
    """Trains a network step by step; step n depends on the seed, n and the weights only.

    Attributes:
        step: how many have been taken.
        bits: per symbol, smoothed over the last steps.
    """

    def __init__(
        self, network: AnyNetwork, windows: Windows, recipe: Recipe, seed: int
    ) -> None:
        self.step, self.bits = 0, math.nan
        self._network, self._windows = network, windows
        self._recipe, self._seed = recipe, seed
        parameters = list(network.parameters())
        # All parameters are views of one vector, and so are their gradients.
        self._weights = torch.cat([p.detach().reshape(-1) for p in parameters])
        self._gradient = torch.zeros_like(self._weights)
        self._decays = torch.cat(
            [torch.full_like(p, float(p.ndim > 1)).reshape(-1) for p in parameters]
        )
        offset = 0
        for p in parameters:
            part = slice(offset, offset + p.numel())
            p.data = self._weights[part].view(p.shape)
            p.grad = self._gradient[part].view(p.shape)
            offset += p.numel()
        self._mean = torch.zeros_like(self._weights)
        self._square = torch.zeros_like(self._weights)
        self._average = self._weights.clone()

    def train_to(self, last: int, watch: Watch) -> None:
        """Take the steps up to `last`."""
        with few_threads():
            while self.step < last:
                self._take_step()
                if watch.progress is not None:
                    watch.progress(self.step, last, self.bits)
                due = self.step % watch.every == 0 or self.step == last
                if watch.checkpoint is not None and due:
                    self.save(watch)

    def averaged(self) -> AnyNetwork:
        """Return a copy on the CPU with the average of the weights, to be read only."""
        result = copy.deepcopy(self._network).cpu().eval()
        average, offset = self._average.cpu(), 0
        with torch.no_grad():
            for p in result.parameters():
                p.grad = None
                p.data = average[offset : offset + p.numel()].view(p.shape).clone()
                offset += p.numel()
        return result.requires_grad_(requires_grad=False)

    def _take_step(self) -> None:
        rng = philox(self._seed, 1, self.step)
        n = len(self._windows.lengths)
        rows = rng.integers(0, n, self._recipe.batch)
        symbols, real = self._windows.take(rows)
        targets = self._windows.take_targets(rows)
        self.step += 1
        if not real.any():
            return
        device = self._weights.device
        fast = (
            torch.autocast("cuda", torch.bfloat16)
            if device.type == "cuda"
            else nullcontext()
        )
        self._gradient.zero_()
        with fast:
            nats = self._network.nats(
                torch.from_numpy(symbols).to(device),
                torch.from_numpy(targets).to(device),
                torch.from_numpy(real).to(device),
                rng,
            )
        nats.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._descend()
        bits = float(nats.detach()) / math.log(2)
        first = math.isnan(self.bits)
        self.bits = bits if first else self.bits + SMOOTHING * (bits - self.bits)

    def _descend(self) -> None:
        """Move all weights by AdamW, then their average."""
        recipe, gradient = self._recipe, self._gradient
        rate = recipe.learning_rate * min(1.0, self.step / recipe.warm_up)
        norm = float(gradient.norm())
        if norm > recipe.clip:
            gradient.mul_(recipe.clip / norm)
        self._mean.lerp_(gradient, 1 - BETAS[0])
        self._square.lerp_(gradient * gradient, 1 - BETAS[1])
        spread = (self._square / (1 - BETAS[1] ** self.step)).sqrt_().add_(EPSILON)
        direction = (self._mean / (1 - BETAS[0] ** self.step)).div_(spread)
        direction.add_(self._weights * self._decays, alpha=recipe.weight_decay)
        self._weights.sub_(direction, alpha=rate)
        decay = min(recipe.averaging, self.step / (self.step + 9))
        self._average.lerp_(self._weights, 1 - decay)

    def save(self, watch: Watch) -> None:
        """Write the state of training into the checkpoint, whole or not at all."""
        if watch.checkpoint is None:
            return
        part = watch.checkpoint.with_name(watch.checkpoint.name + ".part")
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **self._state())
            file.flush()
            os.fsync(file.fileno())
        part.replace(watch.checkpoint)

    def resume(self, watch: Watch) -> None:
        """Go on from the checkpoint, if there is one.

        Raises:
            SpecError: the checkpoint belongs to another network, corpus, recipe or seed.
        """
        if watch.checkpoint is None or not watch.checkpoint.exists():
            return
        with np.load(watch.checkpoint, allow_pickle=False) as saved:
            if saved["run"].item() != self._run():
                raise SpecError(
                    f"the checkpoint {watch.checkpoint.name!r} was written by another run, "
                    "wanted this network, corpus and seed; delete it or name another file"
                )
            self.step, self.bits = int(saved["step"]), float(saved["bits"])
            for name, vector in self._vectors().items():
                vector.copy_(torch.from_numpy(saved[name]))

    def _state(self) -> dict[str, Any]:
        vectors = {k: v.cpu().numpy() for k, v in self._vectors().items()}
        about = {"step": self.step, "bits": self.bits, "run": self._run()}
        return {**vectors, **about}

    def _vectors(self) -> Mapping[str, torch.Tensor]:
        return {
            "weights": self._weights,
            "mean": self._mean,
            "square": self._square,
            "average": self._average,
        }

    def _run(self) -> str:
        shapes = [(n, tuple(p.shape)) for n, p in self._network.named_parameters()]
        digest = hashlib.sha256(f"{shapes} {self._recipe} {self._seed}".encode())
        digest.update(np.ascontiguousarray(self._windows.symbols).tobytes())
        digest.update(self._windows.lengths.tobytes())
        if self._windows.targets is not None:
            digest.update(self._windows.targets.tobytes())
        return digest.hexdigest()


def train(
    trainer: Trainer[AnyNetwork], steps: Sequence[int], watch: Watch
) -> Iterator[AnyNetwork]:
    """Yield the averaged network after each of the rising numbers of steps."""
    trainer.resume(watch)
    for last in steps:
        trainer.train_to(last, watch)
        yield trainer.averaged()
