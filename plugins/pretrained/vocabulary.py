"""Vocabulary: bytes of each token, and tokens for any bytes.

A code is a sequence of symbols whose bytes, one after the other, are the data; a decoder
reads symbols until it has as many bytes as it was told. So every such sequence is a valid
code, whatever the tokenizer does. The encoder takes the one the model was trained on, its
tokenizer's, wherever its bytes are those of the text, and elsewhere (bytes that are no
UTF-8, text that the tokenizer normalises) the longest tokens that fit. Bytes that no token
holds alone have symbols of their own, after the tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness import SpecError

LONGEST_FIT = 32
"""Bytes of the longest token that is tried where the tokenizer does not serve."""
_HEX_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "\u2581"
_NO_TEXT = re.compile("([\udc80-\udcff]+)")
"""Characters that `surrogateescape` makes of bytes that are no UTF-8."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Symbols of a code.

    Attributes:
        tokenizer: of the model; a decoder asks it for the context alone.
        octets: the bytes of each symbol: the model's tokens in the order of its logits (none
            for special ones), then the bytes that no token is.
        n_tokens: number of logits of the model.
        lead: bytes that the tokenizer puts before any text, mostly none or a space.
    """

    tokenizer: Any
    octets: tuple[bytes, ...]
    n_tokens: int
    lead: bytes

    @property
    def n_escapes(self) -> int:
        """Number of bytes that no token holds alone."""
        return len(self.octets) - self.n_tokens

    @property
    def longest(self) -> int:
        """Bytes of the longest token."""
        return max(map(len, self.octets))

    def symbols_of(self, data: bytes) -> list[int]:
        """Return symbols whose bytes are `lead` and the data; none for no data."""
        if not data:
            return []
        text = (self.lead + data).decode("utf-8", "surrogateescape")
        return [
            symbol
            for piece in _NO_TEXT.split(text)
            if piece
            for symbol in self._symbols_of(piece)
        ]

    def bytes_of(self, symbols: Sequence[int]) -> bytes:
        """Return the bytes of symbols, one after the other."""
        return b"".join(self.octets[symbol] for symbol in symbols)

    def _symbols_of(self, piece: str) -> list[int]:
        data = piece.encode("utf-8", "surrogateescape")
        if _NO_TEXT.match(piece):
            return list(self._fitting(data))
        # The tokenizer adds the lead by itself, but only at the start of a text.
        leads = bool(self.lead) and data.startswith(self.lead)
        text = piece[len(self.lead) :] if leads else piece
        for variant in (text, piece):
            symbols = _encoded(self.tokenizer, variant)
            is_in_model = max(symbols, default=0) < self.n_tokens
            if is_in_model and self.bytes_of(symbols) == data:
                return symbols
        return list(self._fitting(data))

    def _fitting(self, data: bytes) -> Iterator[int]:
        """Yield the longest symbol that fits, again and again."""
        start = 0
        while start < len(data):
            end = min(start + LONGEST_FIT, len(data))
            # Ends at a single byte at the latest: every byte has a symbol.
            while data[start:end] not in self._by_octets:
                end -= 1
            yield self._by_octets[data[start:end]]
            start = end

    @cached_property
    def _by_octets(self) -> dict[bytes, int]:
        return {octets: i for i, octets in enumerate(self.octets) if octets}


def vocabulary_of(tokenizer: Any, n_tokens: int) -> Vocabulary:
    """Return the vocabulary of a model with so many logits.

    Raises:
        SpecError: the tokenizer has tokens that the model has no logit for.
    """
    tokens = [b""] * n_tokens
    for i, octets in _token_octets(tokenizer):
        if i < n_tokens:
            tokens[i] = octets
        elif octets:
            raise SpecError(
                f"the tokenizer has a token {i}, the model {n_tokens}; they do not belong"
                " together: save both from the same model"
            )
    # Bytes that only occur inside tokens need symbols of their own.
    alone = set(tokens)
    escaped = [bytes([i]) for i in range(256) if bytes([i]) not in alone]
    # One letter shows what a tokenizer puts in front of it.
    probe = b"".join(tokens[i] for i in _encoded(tokenizer, "a"))
    lead = probe[:-1] if probe.endswith(b"a") else b""
    return Vocabulary(
        tokenizer=tokenizer,
        octets=(*tokens, *escaped),
        n_tokens=n_tokens,
        lead=lead,
    )


def _encoded(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of text in which no name of a special token has a meaning."""
    encoding = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return [int(i) for i in encoding["input_ids"]]


def _token_octets(tokenizer: Any) -> Iterator[tuple[int, bytes]]:
    """Yield each token and the bytes it stands for; special ones stand for none."""
    # Tokenizers write bytes as text in one of a few ways, which their decoder names.
    kinds, special = _kinds(tokenizer), set(tokenizer.all_special_ids)
    added = tokenizer.added_tokens_decoder
    alphabet = _byte_alphabet()
    for token, i in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1]):
        if i in special or (i in added and added[i].special):
            yield i, b""
        elif i in added:
            yield i, str(added[i].content).encode()
        elif "bytes" in kinds:
            yield i, token.encode("latin-1", "ignore") if len(token) == 1 else b""
        elif "ByteLevel" in kinds and alphabet.keys() >= set(token):
            yield i, bytes(alphabet[char] for char in token)
        elif "ByteFallback" in kinds and (byte := _HEX_BYTE.fullmatch(token)):
            yield i, bytes.fromhex(byte[1])
        elif "spaces" in kinds:
            yield i, token.replace(_SPACE, " ").encode()
        else:
            yield i, token.encode()


def _kinds(tokenizer: Any) -> set[str]:
    """Return how a tokenizer writes bytes as text: what its decoder undoes."""
    # Its tokens are single bytes, but it has no fast backend that says so.
    if type(tokenizer).__name__ == "ByT5Tokenizer":
        return {"bytes"}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return set()
    decoder = json.loads(backend.to_str())["decoder"] or {}
    kinds = {
        str(step["type"]) for step in decoder.get("decoders", [decoder] * bool(decoder))
    }
    return kinds | (
        {"spaces"} if _SPACE in json.dumps(decoder, ensure_ascii=False) else set()
    )


def _byte_alphabet() -> dict[str, int]:
    """Return the printable characters that stand for bytes in vocabularies like GPT-2's."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {char: byte for byte, char in bytes_to_unicode().items()}
