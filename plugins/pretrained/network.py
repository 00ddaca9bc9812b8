"""The model itself: what it predicts, token by token or many at once.

Both read in the same windows. A window starts with the start token and up to half a context
of what came before, and goes on with what is coded until the context is full; the next one
starts again from the last half. So every token is predicted from at least the half context
before it (less the start token), or from all there is.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness import CodingError, SpecError

from .vocabulary import Vocabulary, vocabulary_of

ESCAPE_SHARE = 2.0**-10
"""Probability of bytes that no token is, where there are such; tokens share the rest."""
_ROWS = 64
"""Predictions turned into probabilities at a time: float64 of a large vocabulary."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is loaded, and where to; `content` is there so that another is loaded anew."""

    folder: str
    content: str
    dtype: str
    device: str


@dataclass(frozen=True, kw_only=True)
class Window:
    """What the model reads at once: tokens it is given, and symbols it predicts."""

    given: list[int]
    symbols: list[int]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A causal language model over the symbols of its vocabulary.

    Attributes:
        model: of transformers, in eval mode.
        start: the token that stands before everything.
    """

    model: Any
    vocabulary: Vocabulary
    start: int

    def tokens_of(self, symbols: Sequence[int]) -> list[int]:
        """Return what the model reads for symbols; for an escaped byte its start token."""
        n = self.vocabulary.n_tokens
        return [symbol if symbol < n else self.start for symbol in symbols]

    def windows(
        self, known: Sequence[int], symbols: Sequence[int], size: int
    ) -> Iterator[Window]:
        """Yield the windows in which symbols are predicted after known ones.

        A window's tokens, given and predicted, are at most `size` + 1: the last symbol
        need not be read to be predicted.
        """
        history, done = [*known, *symbols], 0
        while done < len(symbols):
            at = len(known) + done
            given = [self.start, *self.tokens_of(history[:at][kept_from(at, size) :])]
            n = size - len(given) + 1
            yield Window(given=given, symbols=list(symbols[done : done + n]))
            done += n

    def surprisals(
        self, known: Sequence[int], symbols: Sequence[int], size: int
    ) -> Iterator[Floats]:
        """Yield -log2 of the probabilities of symbols, in bits, window by window."""
        for window in self.windows(known, symbols, size):
            read = window.given + self.tokens_of(window.symbols[:-1])
            logits = self._logits(read, keep=len(window.symbols))
            for first in range(0, len(logits), _ROWS):
                rows = self._shared(logits[first : first + _ROWS])
                chosen = window.symbols[first : first + _ROWS]
                yield -np.log2(rows[np.arange(len(rows)), chosen])

    def hidden(self, symbols: Sequence[int], size: int) -> list[NDArray[np.float32]]:
        """Return the states after each symbol, per layer: (T, d)."""
        parts = []
        for window in self.windows([], symbols, size - 1):
            read = self._read(
                window.given + self.tokens_of(window.symbols), hidden=True
            )
            states = torch.stack(read.hidden_states[1:])[:, 0, len(window.given) :]
            parts.append(states.float().cpu().numpy())  # (layers, T, d)
        return list(np.concatenate(parts, axis=1))

    def predict(self, tokens: Sequence[int], cache: Any) -> tuple[Floats, Any]:
        """Read tokens after those in the cache; return what follows, and the cache.

        Returns:
            Probabilities, shape (n_symbols,), and the cache, which has grown in place.
        """
        ids = torch.tensor([list(tokens)], device=self.model.device)
        read = self.model(
            ids, past_key_values=cache, use_cache=True, **self._keeping(1)
        )
        if getattr(read, "past_key_values", None) is None:
            kind = type(self.model).__name__
            raise SpecError(
                f"pretrained: {kind} keeps no key-value cache; choose another"
            )
        return self._shared(read.logits[0, -1:])[0], read.past_key_values

    def _logits(self, tokens: Sequence[int], *, keep: int) -> torch.Tensor:
        """Return the last logits: (keep, n_tokens)."""
        logits: torch.Tensor = self._read(tokens, keep=keep).logits[0, -keep:]
        return logits

    def _read(
        self, tokens: Sequence[int], *, keep: int = 1, hidden: bool = False
    ) -> Any:
        ids = torch.tensor([list(tokens)], device=self.model.device)
        return self.model(
            ids, use_cache=False, output_hidden_states=hidden, **self._keeping(keep)
        )

    def _keeping(self, n: int) -> dict[str, int]:
        """Return how to ask for the last logits only, where the model can be asked."""
        known = inspect.signature(self.model.forward).parameters
        return {"logits_to_keep": n} if "logits_to_keep" in known else {}

    def _shared(self, logits: torch.Tensor) -> Floats:
        """Return probabilities of all symbols: (rows, n_tokens) -> (rows, n_symbols)."""
        scores = logits.double().cpu().numpy()
        if not np.isfinite(scores.max(axis=1)).all():
            raise CodingError(
                "the model gave a logit that is no number; use dtype='float32'"
            )
        shares: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        n = self.vocabulary.n_escapes
        if not n:
            return shares
        escapes = np.full((len(shares), n), ESCAPE_SHARE / n)
        return np.concatenate([shares * (1 - ESCAPE_SHARE), escapes], axis=1)


class Reader:
    """Predicts symbol after symbol, as a decoder must: one stream, one token at a time."""

    def __init__(self, network: Network, known: Sequence[int], size: int) -> None:
        self._network, self._size = network, size
        self._history = list(known)
        self._pending, self._n_read = self._window(), 0
        self._cache: Any = None

    def predict(self) -> Floats:
        """Return the probabilities of the next symbol: (n_symbols,)."""
        shares, self._cache = self._network.predict(self._pending, self._cache)
        self._n_read += len(self._pending)
        self._pending = []
        return shares

    def read(self, symbol: int) -> None:
        """Take note of a symbol."""
        self._history.append(symbol)
        if self._n_read < self._size:
            self._pending += self._network.tokens_of([symbol])
        else:
            self._pending, self._n_read, self._cache = self._window(), 0, None

    def _window(self) -> list[int]:
        """Return what a new window is given."""
        start = kept_from(len(self._history), self._size)
        kept = self._network.tokens_of(self._history[start:])
        return [self._network.start, *kept]


def kept_from(n: int, size: int) -> int:
    """Return the index from which a window is given what came before, of n symbols."""
    return max(n - (size // 2 - 1), 0)


@contextmanager
def settled() -> Iterator[None]:
    """Compute without gradients, by one thread: sums in one order; then as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=2)
def load_network(choice: Choice) -> Network:
    """Return a model from its folder; neither the network nor code in the folder is used.

    Raises:
        SpecError: it is no causal language model that transformers knows.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if choice.device == "cuda" and not torch.cuda.is_available():
        raise SpecError("pretrained: torch sees no CUDA device; give device='cpu'")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(choice.folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            choice.folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=getattr(torch, choice.dtype),
            attn_implementation="eager",  # plain products and sums, the same on every call
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SpecError(
            f"pretrained: transformers cannot load {choice.folder!r} ({first}); give a"
            " causal language model and its tokenizer, saved with save_pretrained"
        ) from error
    model.eval().to(choice.device)
    head = model.get_output_embeddings()
    n_tokens = model.config.vocab_size if head is None else head.weight.shape[0]
    vocabulary = vocabulary_of(tokenizer, int(n_tokens))
    return Network(model=model, vocabulary=vocabulary, start=_start(tokenizer, model))


def _start(tokenizer: Any, model: Any) -> int:
    """Return the token that stands before a text, as the model was trained."""
    candidates = (
        tokenizer.bos_token_id,
        model.config.bos_token_id,
        tokenizer.eos_token_id,
        model.config.eos_token_id,
        tokenizer.pad_token_id,
    )
    return next((i for i in candidates if isinstance(i, int)), 0)
