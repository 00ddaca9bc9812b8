"""Causal language models of Hugging Face transformers as compressors.

"Language Modeling Is Compression" (Deletang et al. 2023, arXiv:2309.10668): the sum of
-log2 p(token | tokens before) is the length of a code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from harness import Bits, Codec, CodingError, Represents, SpecError, hookimpl

from .coder import Decoder, Encoder, frequencies_of
from .files import find_model, is_folder

if TYPE_CHECKING:
    from .network import LanguageModel

BYTES_PER_TOKEN = 4
"""Bytes of English per token in vocabularies of 30,000 to 250,000, for `window`."""


@dataclass(frozen=True, kw_only=True)
class Pretrained(Codec, Represents):
    """Language model that was trained elsewhere; nothing is trained here.

    Any bytes can be coded: symbols are the model's tokens, and the data are their bytes one
    after the other, so that a decoder, who knows the length, needs no mark of the end. Text takes
    the tokenizer's own tokens; where those do not give back the bytes (no UTF-8, a tokenizer
    that normalises), the longest that fit. Other tokens could spell the same bytes: a length
    is an upper bound on -log2 p(bytes).

    `code_lengths` are those of the model's softmax, many tokens at a time. The code, a token
    at a time, is longer by under a byte, by roundings of probabilities (2**-32 each), and
    where float sums in another order make another last bit. Encoder and decoder make them in
    the same order: one stream, one thread, eager attention on the CPU. So a fresh process on
    the same machine decodes, and one on another CPU may not: class "host".

    `fit` learns nothing, unless `prompt` lets it keep the end of the corpus to stand before
    everything. Samples beyond `context` are read in windows that overlap by half (see
    `network`). `hidden_states` gives each byte the state of the token that it is part of,
    after reading that token: a mean over bytes weighs tokens by their bytes.

    Attributes:
        model: a folder that `save_pretrained` made, or a name on the hub. Weights must be
            safetensors; code in a model's folder is not run.
        context: tokens that the model sees at once, start token included.
        dtype: of weights and activations.
        prompt: bytes of the corpus, from its end, that `fit` keeps to condition on; 0 is
            the model as it is.
        device: where `code_lengths` and `hidden_states` are computed; coding is on the CPU.
        content: hash of weights, configuration and tokenizer, filled in; a spec that names
            it is refused where the model is another.
    """

    name = "pretrained"
    family = "pretrained language model"
    requires = ("transformers", "tokenizers", "torch", "numpy")
    determinism = "host"
    route = "native"
    waived: ClassVar[Mapping[str, str]] = {
        "lengths_are_coded": "code_lengths are the model's; a code ends in a whole byte",
        "window": "a model need not copy random bytes, and tokens differ in length",
        "hidden_states": "a byte has the state of its token, which may end after it",
    }

    model: str = ""
    context: int = 1024
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"
    prompt: int = 0
    device: Literal["cpu", "cuda"] = "cpu"
    content: str = ""

    def __post_init__(self) -> None:
        files = find_model(self.model)
        if self.content not in ("", files.content):
            raise SpecError(
                f"pretrained: the content of {self.model!r} is {files.content}, not "
                f"{self.content}; get the model that was meant, or leave content out"
            )
        # A model without a limit of positions may have any context.
        limit = files.n_positions or self.context
        if not 8 <= self.context <= limit:
            raise SpecError(
                f"pretrained: context is {self.context}; {self.model!r} takes 8 to {limit}"
            )
        if self.prompt < 0:
            raise SpecError(
                f"pretrained: prompt is {self.prompt} bytes; give 0 or more"
            )
        # A decoder stands in another folder.
        folder = str(files.folder) if is_folder(self.model) else self.model
        object.__setattr__(self, "model", folder)
        object.__setattr__(self, "content", files.content)
        object.__setattr__(self, "prior_bytes", files.n_bytes)

    @property
    def window(self) -> int:
        """Half the context, at four bytes a token."""
        return BYTES_PER_TOKEN * (self.context // 2 - 1)

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (nothing is drawn)
        """Keep the last `prompt` bytes, or nothing; the weights stay as they are."""
        if not self.prompt:
            return replace(self, learned={})
        prompt_bytes = self.prefix(b"".join(corpus))[-self.prompt :]
        return replace(self, learned={"prefix": np.frombuffer(prompt_bytes, np.uint8)})

    def pack(self, data: bytes) -> bytes:
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        from .network import Reader, settled

        network, encoder = self._network("cpu"), Encoder()
        history = network.vocabulary.symbols_of(prefix)
        with settled():
            reader = Reader(network, history, self.context)
            for symbol in network.vocabulary.symbols_of(data):
                # Token by token, in the order and with the sums of the decoder.
                encoder.encode(frequencies_of(reader.predict()), symbol)
                reader.read(symbol)
        return encoder.finish()

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        from .network import Reader, settled

        if not length:
            return b""
        network, decoder = self._network("cpu"), Decoder(code)
        octets, lead = network.vocabulary.octets, network.vocabulary.lead
        history, decoded = network.vocabulary.symbols_of(prefix), bytearray()
        with settled():
            reader = Reader(network, history, self.context)
            while len(decoded) < len(lead) + length:
                symbol = decoder.decode(frequencies_of(reader.predict()))
                decoded += octets[symbol]
                # A special token has no bytes, and a code never passes the length.
                if not octets[symbol] or len(decoded) > len(lead) + length:
                    raise CodingError(
                        "the code is damaged, or was made by another model or machine"
                    )
                reader.read(symbol)
        return bytes(decoded[len(lead) :])

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        from .network import settled

        network = self._network(self.device)
        history = network.vocabulary.symbols_of(self.prefix(context))
        with settled():
            return np.array(
                [self._bits(network, history, sample) for sample in samples], np.float64
            )

    def hidden_states(self, batch: Sequence[bytes]) -> dict[str, NDArray[np.float32]]:
        from .network import settled

        network, longest = self._network(self.device), max(map(len, batch), default=0)
        layers: dict[str, NDArray[np.float32]] = {}
        with settled():
            for row, sample in enumerate(batch):
                for name, states in self._states(network, sample).items():
                    shape = (len(batch), longest, states.shape[1])
                    table = layers.setdefault(name, np.zeros(shape, np.float32))
                    table[row, : len(states)] = states
        return layers

    def _bits(
        self, network: LanguageModel, history: Sequence[int], sample: bytes
    ) -> float:
        symbols = network.vocabulary.symbols_of(sample)
        parts = network.surprisals(history, symbols, self.context)
        return float(sum(float(part.sum()) for part in parts))

    def _states(
        self, network: LanguageModel, sample: bytes
    ) -> dict[str, NDArray[np.float32]]:
        """Return the states of a sample's bytes, per layer: (T, d)."""
        vocabulary = network.vocabulary
        symbols = vocabulary.symbols_of(sample)
        if not symbols:
            return {}
        # A byte gets the state of its token, once per byte of the token.
        lengths = [len(vocabulary.octets[symbol]) for symbol in symbols]
        layers = network.hidden(symbols, self.context)
        return {
            f"layer{i}": np.repeat(states, lengths, axis=0)[len(vocabulary.lead) :]
            for i, states in enumerate(layers)
        }

    def _network(self, device: str) -> LanguageModel:
        from .network import ModelChoice, load_network

        folder = str(find_model(self.model).folder)
        return load_network(
            ModelChoice(
                folder=folder, content=self.content, dtype=self.dtype, device=device
            )
        )


@hookimpl
def compressors() -> list[type[Pretrained]]:
    return [Pretrained]
