"""Feed-forward networks: window MLPs, and convolutions over bytes or pixels.

`architecture` and `model` import fast; `network` and `conversion` import torch, `engine` and
`compiled` import numba: inside methods only.
"""
