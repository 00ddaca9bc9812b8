"""Common base of all neural plugins: training in float, coding in exact integers.

A plugin builds on `model`, or on `pixels` if it reads images. These, `recipe`, `budget`,
`batches`, `quantise` and `tables` import fast; `network`, `training`, `conversion` and `exact`
import torch, `compiled`, `sums`, `dense` and `engine` import numba: inside methods only.
"""
