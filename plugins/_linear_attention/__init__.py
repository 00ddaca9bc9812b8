"""Linear attention: matrix-valued states that decay, are written by keys and read by queries.

`architecture` imports fast; `network`, `scan` and `conversion` import torch, `engine` and
`compiled` import numba: inside methods only.
"""
