"""Compressors as a tool for files: fit, compress, decompress."""
