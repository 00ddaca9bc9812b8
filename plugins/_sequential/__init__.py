"""Library of codecs that predict symbol by symbol: a range coder, and a model with undo.

`coder` is compiled by numba, `codec` is the base class, `machine` the model in memory that
learns a prefix once and is put back after every sample.
"""
