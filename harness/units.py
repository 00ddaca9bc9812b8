"""Conversions between bits and bytes; no other module has the factor."""

BITS_PER_BYTE = 8


def bytes_to_bits(n_bytes: float) -> float:
    """Return the number of bits in `n_bytes`."""
    return BITS_PER_BYTE * n_bytes


def bits_to_bytes(n_bits: float) -> float:
    """Return the number of bytes, possibly fractional, in `n_bits`."""
    return n_bits / BITS_PER_BYTE


def bits_per_byte(code_length_bits: float, n_bytes: int) -> float:
    """Return the rate of a code of `code_length_bits` for `n_bytes` of original data.

    Raises:
        ValueError: there are no original bytes.
    """
    if n_bytes <= 0:
        msg = f"a rate needs at least 1 original byte, got {n_bytes}"
        raise ValueError(msg)
    return code_length_bits / n_bytes


def compression_ratio(rate_bpb: float) -> float:
    """Return original bytes / coded bytes (higher is better) for a rate in bits per byte."""
    return BITS_PER_BYTE / rate_bpb if rate_bpb > 0 else float("inf")
