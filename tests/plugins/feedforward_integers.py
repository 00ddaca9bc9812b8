"""Feed-forward networks by Python's integers, layer by layer; loaded by `run_path`."""

import itertools
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np

NETS = SimpleNamespace(**run_path(str(Path(__file__).with_name("networks.py"))))
TOTAL, ONE = 1 << 24, 1 << 15
Offsets = list[tuple[int, int]]


def square(radius: int, n_channels: int) -> Offsets:
    """Return the earlier positions of a square, as a plugin orders its weights."""
    left, width = radius * n_channels, (2 * radius + 1) * n_channels
    before = [(0, -1 - i) for i in range(left)]
    return before + [
        (-1 - y, x - left) for y in range(radius) for x in range(width)
    ]  # up to the last channel of the pixel `radius` to the right


def reads_of(model: Any) -> list[Offsets]:
    """Return where each layer reads, from the fields of a model alone."""
    if model.name == "byte_mlp":
        first = [(0, -1 - i) for i in range(model.taps)]
        return [first] + [[(0, 0)]] * (model.layers - 1)
    if model.name == "byte_conv":
        k = model.kernel
        powers = [model.dilation**layer for layer in range(1, model.layers)]
        upper = [[(0, -i * power) for i in range(k)] for power in powers]
        return [[(0, -1 - i) for i in range(k)], *upper]
    if model.shape is None:
        rows = [
            [(0, -1 - i) for i in range(2 * r * (r + 1))] for r in (model.radius, 1)
        ]
    else:
        n_channels = model.shape[2] if len(model.shape) > 2 else 1
        rows = [square(r, n_channels) for r in (model.radius, 1)]
    return [rows[0]] + [[(0, 0), *rows[1]]] * (model.layers - 1)


class PythonIntegers:
    """Samples by Python's integers and single numpy scalars, layer by layer."""

    def __init__(self, model: Any) -> None:
        self.k = {name: array.tolist() for name, array in model.learned.items()}
        self.reads, self.gated = reads_of(model), model.name != "byte_mlp"
        self.alphabet, self.shape = model.alphabet, getattr(model, "shape", None)
        # Gated layers add up: the bound of the sum is the next power of two.
        layers = len(self.reads)
        self.largest = 2 ** int(np.ceil(np.log2(layers))) if self.gated else 1
        x = np.arange(-12288, 12289) / 1024
        self.tanh = np.rint((ONE - 1) * np.tanh(x)).astype(int).tolist()
        self.sigmoid = np.rint(ONE / (1 + np.exp(-x))).astype(int).tolist()

    def rows(self, sample: bytes) -> np.ndarray:
        """Return the frequencies of a sample."""
        steps, d = range(len(sample)), len(self.k["head"][0])
        values = [self.units(self.first(sample, t), [0] * d) for t in steps]
        for layer, offsets in enumerate(self.reads[1:], start=2):
            upper = []
            for t in steps:
                at = [self.place(t, offset) for offset in offsets]
                parts = [[0] * d if place is None else values[place] for place in at]
                sums = self.products(f"layer{layer}", list(itertools.chain(*parts)))
                biases = map(whole, self.k[f"layer{layer}_bias"])
                sums = [int(np.rint(s)) + b for s, b in zip(sums, biases, strict=True)]
                upper.append(self.units(sums, values[t]))
            values = upper
        biases = [np.float32(b) * np.float32(1024) for b in self.k["head_bias"]]
        logits = [
            [
                int(np.rint(product + bias))
                for product, bias in zip(
                    self.products("head", state), biases, strict=True
                )
            ]
            for state in values
        ]
        return NETS.frequencies_of(np.array(logits))

    def place(self, t: int, offset: tuple[int, int]) -> int | None:
        """Return the position at an offset of another; None is outside its image."""
        down, right = offset
        if self.shape is None:
            return t + right if t + right >= 0 else None
        width = int(np.prod(self.shape[1:]))
        first = t - t % (self.shape[0] * width)
        y, x = divmod(t - first, width)
        inside = y + down >= 0 and 0 <= x + right < width
        return first + (y + down) * width + x + right if inside else None

    def first(self, sample: bytes, t: int) -> list[int]:
        """Return the sums of the first layer, of candidates and then of gates."""
        places = [self.place(t, offset) for offset in self.reads[0]]
        symbols = [self.alphabet if p is None else sample[p] for p in places]
        e, sums = len(self.k["embedding"][0]), []
        for i, weights in enumerate(self.k["layer1"]):
            total = whole(self.k["layer1_bias"][i])
            unit = np.float64(np.float32(self.k["layer1_scale"][i])) * 1024
            for j, symbol in enumerate(symbols):
                product = dot(weights[j * e : j * e + e], self.k["embedding"][symbol])
                scale = np.float64(np.float32(self.k["embedding_scale"][symbol]))
                total += int(np.rint(product * scale * unit))
            sums.append(total)
        return sums

    def units(self, sums: list[int], below: list[int]) -> list[int]:
        at = [max(-12288, min(12288, total)) + 12288 for total in sums]
        new = [self.tanh[i] for i in at[: len(below)]]
        if not self.gated:
            return new
        shares = [self.sigmoid[i] for i in at[len(below) :]]
        unit = ONE * self.largest
        changes = [
            (2 * s * n + unit) // (2 * unit) for s, n in zip(shares, new, strict=True)
        ]
        totals = [b + change for b, change in zip(below, changes, strict=True)]
        return [max(1 - ONE, min(ONE - 1, total)) for total in totals]

    def products(self, name: str, values: list[int]) -> list[Any]:
        """Return float32 sums times their factors, not yet rounded."""
        limit = (TOTAL - 1) // max(sum(map(abs, row)) for row in self.k[name])
        read = min(limit, 4096 * self.largest, ONE - 1)
        coarse = [(v * read + 2**14) >> 15 for v in values]
        products = []
        for row, scale in zip(self.k[name], self.k[f"{name}_scale"], strict=True):
            total = dot(row, coarse)
            assert abs(total) < TOTAL  # so that float32 is exact in any order
            ratio = np.float32(1024 * self.largest) / np.float32(read)
            products.append(np.float32(total) * (np.float32(scale) * ratio))
        return products


def dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def whole(bias: float) -> int:
    return int(np.rint(np.float32(bias) * np.float32(1024)))
