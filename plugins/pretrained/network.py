"""Language model and its predictions, token by token or many at once.

Both read in the same windows. A window starts with the start token and up to half a context
of earlier tokens, and continues with coded tokens until the context is full; the next one
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
class ModelChoice:
    """Key of a loaded model; `content` makes a changed folder load again."""

    folder: str
    content: str
    dtype: str
    device: str


@dataclass(frozen=True, kw_only=True)
class Window:
    """Tokens that the model reads at once, and the symbols it then predicts."""

    given: list[int]
    symbols: list[int]


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """Causal language model over the symbols of its vocabulary.

    Attributes:
        model: of transformers, in eval mode.
        start: the token that stands before everything.
    """

    model: Any
    vocabulary: Vocabulary
    start: int

    def tokens_of(self, symbols: Sequence[int]) -> list[int]:
        """Return the tokens of symbols; an escaped byte is read as the start token."""
        n = self.vocabulary.n_tokens
        return [symbol if symbol < n else self.start for symbol in symbols]

    def windows(
        self, context: Sequence[int], symbols: Sequence[int], size: int
    ) -> Iterator[Window]:
        """Yield the windows in which symbols are predicted after a history.

        A window's tokens, given and predicted, are at most `size` + 1: the last symbol
        need not be read to be predicted.
        """
        stream, done = [*context, *symbols], 0
        while done < len(symbols):
            at = len(context) + done
            tokens = [
                self.start,
                *self.tokens_of(stream[:at][window_start(at, size) :]),
            ]
            n = size - len(tokens) + 1
            yield Window(given=tokens, symbols=list(symbols[done : done + n]))
            done += n

    def surprisals(
        self, context: Sequence[int], symbols: Sequence[int], size: int
    ) -> Iterator[Floats]:
        """Yield -log2 of the probabilities of symbols, in bits, window by window."""
        for window in self.windows(context, symbols, size):
            read = window.given + self.tokens_of(window.symbols[:-1])
            logits = self._logits(read, keep=len(window.symbols))
            # Rows of float64 of a large vocabulary: a few at a time.
            for first in range(0, len(logits), _ROWS):
                rows = self._shared(logits[first : first + _ROWS])
                targets = window.symbols[first : first + _ROWS]
                yield -np.log2(rows[np.arange(len(rows)), targets])

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
        """Return the option for the last logits only, if the model has it."""
        parameters = inspect.signature(self.model.forward).parameters
        return {"logits_to_keep": n} if "logits_to_keep" in parameters else {}

    def _shared(self, logits: torch.Tensor) -> Floats:
        """Return probabilities of all symbols: (rows, n_tokens) -> (rows, n_symbols)."""
        # float64 on the CPU: one softmax for all devices and types.
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
        # Bytes without a token keep a small share, so that any data can be coded.
        escapes = np.full((len(shares), n), ESCAPE_SHARE / n)
        return np.concatenate([shares * (1 - ESCAPE_SHARE), escapes], axis=1)


class Reader:
    """Reader of one stream, one token at a time, as a decoder must."""

    def __init__(
        self, network: LanguageModel, context: Sequence[int], size: int
    ) -> None:
        self._network, self._size = network, size
        self._history = list(context)
        self._pending, self._n_read = self._window(), 0
        self._cache: Any = None

    def predict(self) -> Floats:
        """Return the probabilities of the next symbol: (n_symbols,)."""
        shares, self._cache = self._network.predict(self._pending, self._cache)
        self._n_read += len(self._pending)
        self._pending = []
        return shares

    def read(self, symbol: int) -> None:
        """Append a symbol to the history."""
        self._history.append(symbol)
        if self._n_read < self._size:
            self._pending += self._network.tokens_of([symbol])
        else:
            # The window is full: the next one starts from the last half.
            self._pending, self._n_read, self._cache = self._window(), 0, None

    def _window(self) -> list[int]:
        """Return the first tokens of a new window."""
        start = window_start(len(self._history), self._size)
        tokens = self._network.tokens_of(self._history[start:])
        return [self._network.start, *tokens]


def window_start(n: int, size: int) -> int:
    """Return the index of the first of n symbols that a new window contains."""
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
def load_network(choice: ModelChoice) -> LanguageModel:
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
    return LanguageModel(
        model=model, vocabulary=vocabulary, start=_start(tokenizer, model)
    )


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
