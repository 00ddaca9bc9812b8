"""The causal transformer shared by the pixel and the byte model, in floats and integers.

- architecture: the shape of a network; numpy only.
- network: the float network that is trained.
- conversion: float weights to integers, and back for further training.
- integers: what coding computes with, derived from the integers that were shipped.
- parallel: the integer network in torch, many positions at once.
- fused: the same in compiled loops, for small models on a CPU; packing: its arrays.
- engine: which of the two reads what.
- pixels: images pixel by pixel on top of it all.
"""
