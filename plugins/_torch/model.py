"""Base of every neural compressor: trained in float, stored and coded as integers.

A family writes four methods (`network`, `convert`, `restore`, `engine`); training, adapting,
coding order, contexts, hidden states and sampling are here. No module that this one needs
imports torch, so that a plugin that builds on it is listed in milliseconds.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from harness import (
    START,
    TOTAL_FREQUENCY,
    Arrays,
    Generates,
    Represents,
    SpecError,
    Stepwise,
    Trains,
    Watch,
    check_alphabet,
    coding_order,
    hyperparameters,
)

from .batches import Ints, Windows, calibration, windows_of
from .budget import HOW_LONG, STEPS_TAKEN, UNLIMITED, check_budget, steps_of
from .recipe import Course, Recipe

if TYPE_CHECKING:
    from .network import Network

CHUNK_ROWS = 1 << 13
RATES = ("learning_rate", "weight_decay")
"""Fields of a recipe that a configuration may replace."""
HIDDEN_BATCH = 64


class Engine(Protocol):
    """Integer arithmetic on the learned arrays: all that coding uses."""

    def start(self) -> Any:
        """Return the state of one stream that has seen nothing."""

    def repeat(self, state: Any, n: int) -> Any:
        """Return the state of n streams, copies of one."""

    def advance(self, state: Any, symbols: Ints) -> tuple[Any, Ints]:
        """Read symbols (k, m) of the first m streams; predict what follows each.

        The streams after the first m have ended and are dropped. START stands before a
        stream's first symbol. Steps come first, streams second, in and out. `state` is
        given up by the caller: it may be changed and returned.

        Returns:
            The next state, and frequencies (k, m, alphabet): int64, at least 1 each, sum
            2**24; for each stream the same whatever k, m and its neighbours are.
        """


class Running(NamedTuple):
    """State of the engine, and the context's last byte where it is still to be read."""

    state: Any
    pending: int = START


@dataclass(frozen=True, kw_only=True)
class NeuralModel(Stepwise, Represents, Generates, Trains):
    """A network as a compressor.

    `learned` holds the integer model alone. Further training and hidden states use the
    float network that these integers stand for.

    Attributes:
        size: name of a configuration, by its number of weights.
        steps: of training, from the initial weights.
        adapt_steps: of training when a fitted model is fitted again.
        passes: over the corpus, instead of `steps`: as many steps as read passes * windows
            windows (drawn with replacement), rounded up.
        seconds: of training, instead of `steps`: CPU time on a CPU, elapsed time on a GPU.
            How many steps that gives differs from run to run; `learned` says it.
        learning_rate, weight_decay: of the training; None is what the family's recipe says.
        device: "cpu", "cuda" or "auto", where it is trained and its hidden states are
            computed; coding is the same anywhere. "auto" is what BITPROBE_DEVICE says.
    """

    requires: ClassVar[tuple[str, ...]] = ("numpy", "numba", "torch", "constriction")
    determinism = "device"
    needs = frozenset({"fit"})
    ladder_field = "steps"
    recipe: ClassVar[Recipe] = Recipe()
    sizes: ClassVar[Sequence[str]] = ()

    size: str = "50k"
    steps: int = 1000
    adapt_steps: int = 30
    passes: float | None = None
    seconds: float | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.size not in self.sizes:
            listed = ", ".join(self.sizes)
            # A KeyError from deep inside a family would not name the field.
            raise SpecError(f"size is {self.size!r}; {self.name} has {listed}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise SpecError(
                f"device is {self.device!r}; a model trains on auto, cpu or cuda"
            )
        if self.steps < 0 or self.adapt_steps < 0:
            raise SpecError("steps and adapt_steps count steps; give 0 or more")
        check_budget(self.steps, type(self).steps, self.passes, self.seconds)
        for name in RATES:
            value = getattr(self, name)
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise SpecError(
                    f"{name} is {value}; give 0 or more, None is the family's own"
                )

    @abstractmethod
    def network(self) -> "Network":
        """Return the float network of this configuration; its weights are set later."""

    @abstractmethod
    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        """Return a trained network as the integers of `learned`.

        Args:
            network: a float32 copy on the CPU, in eval mode; may be changed.
            symbols: (n, T) training windows, to measure how large activations get.
            real: (n, T), False where a window is padded.
        """

    @abstractmethod
    def restore(self, learned: Arrays) -> "Network":
        """Return the float network that the learned integers stand for."""

    @abstractmethod
    def engine(self, learned: Arrays) -> Engine:
        """Return the engine that codes with the learned integers."""

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:
        """Train from initial weights by the budget, or `adapt_steps` from fitted weights."""
        (fitted,) = self.trained(corpus, seed=seed)
        return fitted

    def budgeted(self, steps: int) -> Self:
        return replace(self, steps=steps, adapt_steps=steps, passes=None, seconds=None)

    def fit_ladder(
        self, corpus: Sequence[bytes], values: Sequence[Any], *, seed: int
    ) -> Iterator[Self]:
        return self.trained(corpus, values, seed=seed)

    def trained(
        self,
        corpus: Sequence[bytes],
        values: Sequence[int] | None = None,
        *,
        seed: int,
        watch: Watch | None = None,
    ) -> Iterator[Self]:
        # A ladder counts steps; with another budget only its single rung makes sense.
        other_budget = self.passes is not None or self.seconds is not None
        if other_budget and values is not None:
            if list(values) != [self.steps]:
                raise SpecError(
                    f"{self.name} counts no steps, so it has no ladder of them"
                )
            values = None
        if values is None:
            # A plain fit is a ladder of one rung.
            steps = [self._n_steps(corpus, seed=seed)]
            (learned,) = self.train(corpus, steps, seed=seed, watch=watch)
            yield replace(self, learned=learned)
            return
        rungs = self.train(corpus, values, seed=seed, watch=watch)
        for value, learned in zip(values, rungs, strict=True):
            yield replace(self, steps=value, learned=learned)

    def _n_steps(self, corpus: Sequence[bytes], *, seed: int) -> int:
        """Return the largest number of steps of the next fit."""
        if self.is_fitted:
            return self.adapt_steps
        if self.seconds is not None:
            return UNLIMITED
        if self.passes is None:
            return self.steps
        n_windows = len(self.windows(corpus, seed=seed).lengths)
        return steps_of(self.passes, n_windows=n_windows, batch=self.recipe.batch)

    def train(
        self,
        corpus: Sequence[bytes],
        steps: Sequence[int],
        *,
        seed: int,
        watch: Watch | None = None,
    ) -> Iterator[Arrays]:
        """Yield the integer model after each of the rising numbers of steps.

        `trained` is built on it; families that learn more than weights override it.

        Args:
            corpus: samples; bytes outside the alphabet are read as its last symbol.
            steps: counted from the initial weights, or from what was fitted. `seconds`
                may end them earlier.
            seed: of the initial weights and the batches.
            watch: progress callback, and checkpoint from which a run is resumed.
        """
        from .network import initialise
        from .training import Trainer, device_for, few_threads, train

        if self.learned is None:
            network = self.network()
            initialise(network, seed=seed)
        else:
            network = self.restore(self.learned)
        windows, course = self.windows(corpus, seed=seed), self._course(seed)
        network.observe(windows)
        # The device only trains; the integers are computed on the CPU from a float32 copy.
        trainer = Trainer(network.to(device_for(self.device)), windows, course)
        calibration_batch = calibration(windows, seed=seed)
        for trained in train(trainer, steps, watch or Watch()):
            with few_threads():
                learned = self.convert(trained, *calibration_batch)
            # The clock decides this number: a record must be able to show it.
            if math.isfinite(course.seconds):
                learned = {**learned, STEPS_TAKEN: np.array([trainer.step])}
            yield learned

    def _course(self, seed: int) -> Course:
        timed = self.seconds is not None and not self.is_fitted
        fields = hyperparameters(self)
        settings = {name: fields[name] for name in fields if name not in HOW_LONG}
        return Course(
            recipe=self._own_recipe,
            seed=seed,
            about=f"{self.name} {settings}",
            seconds=float(self.seconds or 0) if timed else math.inf,
        )

    @property
    def _own_recipe(self) -> Recipe:
        """The family's recipe, with the rates of this configuration."""
        rates = {name: getattr(self, name) for name in RATES}
        changes = {name: rate for name, rate in rates.items() if rate is not None}
        return replace(self.recipe, **changes)

    @property
    def training_window(self) -> int:
        """Largest number of symbols in a training window."""
        return self.recipe.window

    def windows(self, corpus: Sequence[bytes], *, seed: int) -> Windows:  # noqa: ARG002  (for families that draw targets)
        """Return the training windows of a corpus."""
        return windows_of(corpus, length=self.training_window, alphabet=self.alphabet)

    def start(self, n: int, *, context: bytes = b"") -> Running:
        check_alphabet([context], self.alphabet)
        engine, context = self._engine, self._reach(context)
        if not context:
            return Running(engine.repeat(engine.start(), n))
        symbols = np.array([START, *context[:-1]], np.int64)[:, None]  # (k, 1)
        state = engine.start()
        # In pieces: predictions of a long context are not needed, only its last state.
        for first in range(0, len(symbols), CHUNK_ROWS):
            state, _ = engine.advance(state, symbols[first : first + CHUNK_ROWS])
        return Running(engine.repeat(state, n), context[-1])

    def step(self, state: Running, symbols: Ints) -> tuple[Running, Ints]:
        following, rows = self._engine.advance(state.state, _read(state, symbols[None]))
        return Running(following), rows[0]

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[Ints]:
        ordered = [samples[i] for i in coding_order(samples)]
        lengths = np.array([len(sample) for sample in ordered], np.int64)
        table = _table(ordered)
        running, first = self.start(len(ordered), context=context), 0
        while first < len(table) - 1:
            # Streams are sorted by length, so that those still running come first.
            n_running = int((lengths > first).sum())
            # About CHUNK_ROWS predictions at once, whatever the number of streams.
            n_steps = min(max(1, CHUNK_ROWS // n_running), len(table) - 1 - first)
            symbols = _read(running, table[first : first + n_steps, :n_running])
            state, rows = self._engine.advance(running.state, symbols)
            running = Running(state)
            alive = first + np.arange(n_steps)[:, None] < lengths[:n_running]
            yield rows.reshape(-1, self.alphabet) if alive.all() else rows[alive]
            first += n_steps

    def hidden_states(self, batch: Sequence[bytes]) -> dict[str, NDArray[np.float32]]:
        """Return the float states, by one thread or a GPU; shorter samples are padded."""
        import torch

        from .training import device_for, few_threads

        check_alphabet(batch, self.alphabet)
        table = _table(batch)[1:].T  # (n, T)
        starts = range(0, max(len(table), 1), HIDDEN_BATCH)
        # Batches bound the memory of the hidden states of all layers.
        parts = [torch.from_numpy(table[i : i + HIDDEN_BATCH].copy()) for i in starts]
        device = device_for(self.device)
        with torch.inference_mode(), few_threads():
            network = self._restored.to(device)
            batches = [network.hidden(part.to(device)) for part in parts]
        return {
            name: torch.cat([layers[name] for layers in batches]).float().cpu().numpy()
            for name in batches[0]
        }

    def sample(
        self, prefixes: Sequence[bytes], length: int, rng: np.random.Generator
    ) -> list[bytes]:
        check_alphabet(prefixes, self.alphabet)
        lengths = np.array([len(prefix) for prefix in prefixes], np.int64)
        table = _table(prefixes)
        symbols_so_far = np.zeros((max(length + 1, len(table)), len(lengths)), np.int64)
        symbols_so_far[: len(table)] = table
        running = self.start(len(prefixes))
        for t in range(length):
            running, rows = self.step(running, symbols_so_far[t])
            # Inverse transform sampling with the very integers that coding uses.
            marks = rng.integers(0, TOTAL_FREQUENCY, (len(rows), 1))
            sampled = (np.cumsum(rows, axis=1) <= marks).sum(axis=1)  # (n, A) -> (n,)
            # Inside a prefix its own symbols are read, not the sampled ones.
            symbols_so_far[t + 1] = np.where(
                t < lengths, symbols_so_far[t + 1], sampled
            )
        octets = symbols_so_far[1 : length + 1].astype(np.uint8)
        return [octets[:, i].tobytes() for i in range(len(prefixes))]

    def _reach(self, context: bytes) -> bytes:
        """Return the part of a context that a family reads."""
        return context

    @cached_property
    def _engine(self) -> Engine:
        return self.engine(self._fitted_arrays)

    @cached_property
    def _restored(self) -> Any:
        return self.restore(self._fitted_arrays).eval()

    @property
    def _fitted_arrays(self) -> Arrays:
        if self.learned is None:
            raise SpecError(f"{self.name} is not fitted yet; fit it before it codes")
        return self.learned


def _table(samples: Sequence[bytes]) -> Ints:
    """Return the symbols of samples, one per column, below a row of START: (1 + T, n)."""
    longest = max(map(len, samples), default=0)
    table = np.zeros((1 + longest, len(samples)), np.int64)
    table[0] = START
    for column, sample in enumerate(samples):
        table[1 : 1 + len(sample), column] = np.frombuffer(sample, np.uint8)
    return table


def _read(running: Running, symbols: Ints) -> Ints:
    """Replace START by the last byte of the context, if there is one."""
    if running.pending == START:
        return symbols
    return np.where(symbols == START, running.pending, symbols)
