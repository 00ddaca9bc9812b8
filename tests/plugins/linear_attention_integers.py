"""Linear attention by Python's integers, step by step; loaded by `run_path`."""

import math
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np

FREQUENCIES_OF = run_path(str(Path(__file__).with_name("networks.py")))[
    "frequencies_of"
]
HALF, PARTS = 1 << 15, 1 << 16


class PlainIntegers:
    """The model by Python's integers and single float operations, step by step."""

    def __init__(self, model: Any) -> None:
        self.k, self.a = model.learned, model.architecture
        self.d = d = self.a.widths.stream
        self.bound = math.isqrt((1 << 53) // (1024 * d)) - 1
        room = int(self.bound / (1.5 * float(self.k["residual_range"][0])))
        self.units = min(4096, 1 << (room.bit_length() - 1))
        self.memory = math.ceil(1 / (1 - max(self.a.decays)))
        self.top = math.isqrt((1 << 53) // (self.a.head_width * self.memory * 2047)) - 1
        self.top = min(self.top, 32767)
        self.last = math.ceil(float(self.k["feature_range"].max()) * 512)
        x = np.arange(-self.last, self.last + 1)
        falling = np.rint(2.0**20 * np.exp(np.minimum(x, 0) / 512))
        curve = falling + 2**11 * np.maximum(x, 0)
        whole = np.maximum(np.rint(curve * (self.top / curve[-1])), 1)
        self.features = [int(value) for value in whole]

    def rows(self, sample: bytes) -> np.ndarray:
        """Return the frequencies of a sample."""
        a, k = self.a, self.k
        shape = (a.n_layers, a.n_heads, a.head_width, a.head_width + 1)
        self.states = np.zeros(shape, object)
        padded, logits = [256] * a.taps + list(sample), []
        e = k["embedding"].shape[1]
        for t in range(len(sample)):
            stream = np.zeros(self.d, np.int64)
            for j in range(a.taps):
                symbol = padded[a.taps + t - 1 - j]
                part = k["mixing"][:, j * e : (j + 1) * e].astype(np.int64)
                whole = part @ k["embedding"][symbol].astype(np.int64)
                row = whole * k["embedding_scale"].astype(float)[symbol]
                columns = k["mixing_scale"].astype(float) * self.units
                stream += np.rint(row * columns).astype(np.int64)
            for layer in range(a.n_layers):
                stream = self.layer(layer, stream)
            normal, limit = self.normal("head", stream)
            unit = limit / math.sqrt(self.d)
            logits.append(self.affine("head", normal, unit, 1024.0))
        return FREQUENCIES_OF(np.array(logits))

    def layer(self, i: int, stream: np.ndarray) -> np.ndarray:
        """Return the stream after a layer."""
        values = self.k["value_range"].astype(float)[i]
        read_limit = self.limit(f"project{i}")
        normal, limit = self.normal(f"qkv{i}", stream)
        by_head = np.repeat(2047 / values, self.a.head_width)
        units = np.concatenate([np.full(2 * self.d, 512.0), by_head])
        q, k, v = self.affine(f"qkv{i}", normal, limit / math.sqrt(self.d), units)[
            None
        ].reshape(3, self.a.n_heads, -1)
        read = [
            np.clip(np.rint(np.array(self.mean(i, h, q[h], k[h], v[h])) * scale), *ends)
            for h in range(self.a.n_heads)
            for scale in [(read_limit / values.max()) / (2047 / values[h])]
            for ends in [(-read_limit, read_limit)]
        ]
        flat = np.concatenate(read).astype(np.int64)
        stream = self.add(f"project{i}", stream, flat, read_limit / values.max())
        limit = self.limit(f"contract{i}")
        unit = limit / float(self.k["active_range"][i])
        normal, reach = self.normal(f"expand{i}", stream)
        active = self.affine(f"expand{i}", normal, reach / math.sqrt(self.d), unit)
        return self.add(f"contract{i}", stream, active.clip(0, limit), unit)

    def mean(self, layer: int, head: int, q: Any, k: Any, v: Any) -> list[float]:
        """Change a state and return the weighed means that the query reads."""
        state, parts = self.states[layer, head], round(self.a.decays[head] * PARTS)
        value = [*(int(x) for x in v.clip(-2047, 2047)), 1]
        total = [0] * len(value)
        for i in range(len(q)):
            query, key = (
                self.features[int(np.clip(x[i], -self.last, self.last)) + self.last]
                for x in (q, k)
            )
            for j in range(len(value)):
                below, fraction = divmod(int(state[i, j]) * parts, PARTS)
                # Halves go to the even neighbour.
                up = fraction > HALF or (fraction == HALF and below % 2)
                state[i, j] = below + int(up) + key * value[j]
                total[j] += query * state[i, j]
        assert max(map(abs, total)) < 1 << 53
        return [part / total[-1] for part in total[:-1]]

    def limit(self, name: str) -> int:
        """Return the largest input of a matrix."""
        rows = np.abs(self.k[name].astype(np.int64)).sum(axis=1)
        return min(((1 << 24) - 1) // int(rows.max()), 32767)

    def normal(self, name: str, stream: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the stream over its root mean square, and the bound of its entries."""
        limit = self.limit(name)
        epsilon = 256 * round(self.d * 1e-5 * self.units**2)
        root = math.isqrt(256 * sum(int(x) ** 2 for x in stream) + epsilon)
        scale = limit / math.sqrt(self.d) * math.sqrt(self.d * 256)
        share = np.float32(scale / root)
        whole = np.rint(stream.astype(np.float32) * share)
        return whole.clip(-limit, limit).astype(np.int64), limit

    def affine(self, name: str, x: Any, unit: float, units: Any) -> np.ndarray:
        """Return float32 sums times their factors, plus the bias, rounded."""
        sums = self.k[name].astype(np.int64) @ x
        assert np.abs(sums).max() < 1 << 24
        factor = self.k[f"{name}_scale"].astype(float) / unit * units
        bias = (self.k[f"{name}_bias"].astype(float) * units).astype(np.float32)
        scaled = sums.astype(np.float32) * factor.astype(np.float32)
        return np.rint(scaled + bias).astype(np.int64)

    def add(self, name: str, stream: Any, x: Any, unit: float) -> np.ndarray:
        """Return the stream plus what a matrix adds to it."""
        change = self.affine(name, x, unit, np.float64(self.units))
        return (stream + change).clip(-self.bound, self.bound)
