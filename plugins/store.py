"""Identity, the baseline that every compressor has to beat."""

from dataclasses import dataclass

from harness import Codec, hookimpl


@dataclass(frozen=True, kw_only=True)
class Store(Codec):
    """Codec whose code is its input."""

    name = "store"
    family = "identity"
    determinism = "device"

    def pack(self, data: bytes) -> bytes:
        return data

    def unpack(self, code: bytes, length: int) -> bytes:
        # A damaged code may be longer; the length is what the decoder was told.
        return code[:length]


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Store]
