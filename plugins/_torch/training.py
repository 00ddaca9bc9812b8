"""Training loop: batches by step number, AdamW, moving average, checkpoints."""

import copy
import hashlib
import math
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from harness import SpecError, Watch

from .batches import Windows, philox
from .network import Network
from .recipe import Course

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
    n_threads = int(os.environ.get(THREADS_VARIABLE, "1"))
    if n_threads != before:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        if n_threads != before:
            torch.set_num_threads(before)


def device_for(device: str) -> str:
    """Return "cpu" or "cuda" for a model's device.

    "auto" is what BITPROBE_DEVICE says (`bitprobe run --device`): there, "auto" takes a GPU
    where there is one. Without the variable it is the CPU.
    """
    name = os.environ.get(DEVICE_VARIABLE, "cpu") if device == "auto" else device
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


class Trainer(Generic[AnyNetwork]):
    """Trainer of one network; step n depends on the seed, n and the weights only.

    Attributes:
        step: number of steps so far.
        bits: training loss in bits per symbol, smoothed over the last steps.
        seconds: time of all steps, also before an interruption, as `Course` counts.
    """

    def __init__(self, network: AnyNetwork, windows: Windows, course: Course) -> None:
        self.step, self.bits, self.seconds = 0, math.nan, 0.0
        self._network, self._windows, self._course = network, windows, course
        self._recipe, self._seed = course.recipe, course.seed
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
        # The initial weights identify a fit that continues an earlier one.
        self._initial = hashlib.sha256(self._weights.cpu().numpy().tobytes()).digest()
        on_cpu = self._weights.device.type == "cpu"
        self._clock = time.process_time if on_cpu else time.perf_counter

    def train_to(self, last: int, watch: Watch) -> None:
        """Take the steps up to `last`, or those that the course has seconds for."""
        saved = time.monotonic()
        with few_threads():
            while self.step < last and self.seconds < self._course.seconds:
                start = self._clock()
                self._take_step()
                self.seconds += self._clock() - start
                self._tell(last, watch)
                if time.monotonic() - saved >= watch.every_seconds:
                    self.save(watch)
                    saved = time.monotonic()
        self.save(watch)

    def _tell(self, last: int, watch: Watch) -> None:
        if watch.progress is None:
            return
        if math.isfinite(self._course.seconds) and self.seconds:
            # The last step is not known; estimate it from the pace so far.
            share = min(1.0, self.seconds / self._course.seconds)
            last = min(last, math.ceil(self.step / share))
        try:
            watch.progress(self.step, last, self.bits)
        except BaseException:
            self.save(watch)  # between two steps, where the state is whole
            raise

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
        # By step number: a resumed run draws the same batches.
        rng = philox(self._seed, 1, self.step)
        n = len(self._windows.lengths)
        rows = rng.integers(0, n, self._recipe.batch)
        # Windows of a batch share one length, that of its longest.
        symbols, real = self._windows.take(rows)  # (B, T), (B, T)
        targets = self._windows.take_targets(rows)  # (B, T)
        self.step += 1
        # A batch of empty windows has no loss, but it counts as a step.
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
        # Bias corrections of Adam (Kingma and Ba 2015).
        spread = (self._square / (1 - BETAS[1] ** self.step)).sqrt_().add_(EPSILON)
        direction = (self._mean / (1 - BETAS[0] ** self.step)).div_(spread)
        direction.add_(self._weights * self._decays, alpha=recipe.weight_decay)
        self._weights.sub_(direction, alpha=rate)
        # A short training averages over less: the initial weights must fade.
        decay = min(recipe.averaging, self.step / (self.step + 9))
        self._average.lerp_(self._weights, 1 - decay)

    def save(self, watch: Watch) -> None:
        """Write the state of training into the checkpoint, atomically."""
        if watch.checkpoint is None:
            return
        # Write aside and rename: an interruption leaves the old checkpoint.
        part = watch.checkpoint.with_name(watch.checkpoint.name + ".part")
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **self._state())
            file.flush()
            os.fsync(file.fileno())
        part.replace(watch.checkpoint)

    def resume(self, watch: Watch, first: int) -> None:
        """Resume from the checkpoint, if there is one that is not past the first step.

        Raises:
            SpecError: the checkpoint is of another network, corpus, recipe or seed, or the
                file is not a checkpoint.
        """
        path = watch.checkpoint
        if path is None or not path.exists():
            return
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                state = dict(saved)
            run, step = state["run"].item(), int(state["step"])
        except (
            OSError,
            EOFError,
            ValueError,
            TypeError,
            KeyError,
            zipfile.BadZipFile,
        ) as error:
            raise SpecError(
                f"{path.name!r} is no checkpoint of a training, or a damaged one; delete it"
            ) from error
        if run != self._run:
            raise SpecError(
                f"the checkpoint {path.name!r} was written by another run, "
                "wanted this network, corpus and seed; delete it or name another file"
            )
        if step > first:
            return
        self.step, self.bits = step, float(state["bits"])
        self.seconds = float(state["seconds"])
        for name, vector in self._vectors().items():
            vector.copy_(torch.from_numpy(state[name]))
        if watch.resumed is not None:
            watch.resumed(self.step, self.seconds)

    def _state(self) -> dict[str, Any]:
        vectors = {k: v.cpu().numpy() for k, v in self._vectors().items()}
        about = {"step": self.step, "bits": self.bits, "seconds": self.seconds}
        return {**vectors, **about, "run": self._run}

    def _vectors(self) -> Mapping[str, torch.Tensor]:
        return {
            "weights": self._weights,
            "mean": self._mean,
            "square": self._square,
            "average": self._average,
        }

    @cached_property
    def _run(self) -> str:
        """Return a hash of everything that decides this training, except its length."""
        shapes = [(n, tuple(p.shape)) for n, p in self._network.named_parameters()]
        settings = f"{self._course.about} {shapes} {self._recipe} {self._seed}"
        digest = hashlib.sha256(settings.encode() + self._initial)
        digest.update(np.ascontiguousarray(self._windows.symbols).tobytes())
        digest.update(self._windows.lengths.tobytes())
        if self._windows.targets is not None:
            digest.update(self._windows.targets.tobytes())
        return digest.hexdigest()


def train(
    trainer: Trainer[AnyNetwork], steps: Sequence[int], watch: Watch
) -> Iterator[AnyNetwork]:
    """Yield the averaged network after each of the rising numbers of steps."""
    if steps:
        trainer.resume(watch, steps[0])
    for last in steps:
        trainer.train_to(last, watch)
        yield trainer.averaged()
