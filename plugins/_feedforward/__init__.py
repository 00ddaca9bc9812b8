"""Feed-forward networks over the last bytes: window MLPs and dilated convolutions.

`architecture` and `model` import fast; `network` and `conversion` import torch, `engine` and
`compiled` import numba: inside methods only. Matrices over integers and the input tables are
those of `_recurrent`.
"""
