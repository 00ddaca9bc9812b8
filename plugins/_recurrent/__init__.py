"""Recurrent networks: gated recurrent units and gated linear recurrences.

`architecture` and `model` import fast; `network` and `conversion` import torch, `engine` and
`compiled` import numba: inside methods only.
"""
