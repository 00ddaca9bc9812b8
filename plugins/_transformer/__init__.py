"""The causal transformer shared by the pixel and the byte model, in floats and integers.

- architecture: the shape of a network; numpy only.
- network: the float network that is trained.
- conversion: float weights to integers, and back for further training.
- integers: all constants of coding, derived from the integers of the artifact.
- parallel: the integer network in torch, many positions at once.
- fused: the same in compiled loops, for small models on a CPU; tables: its arrays;
  packing: their layout.
- engine: choice between the two forms.
- pixels, bytes: images pixel by pixel, and texts byte by byte, on top of it all.
"""
