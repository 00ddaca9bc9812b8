"""Readouts: pure functions from a compressor and a data set to scores."""
