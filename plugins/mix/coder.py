"""Binary arithmetic coder (as in lpaq, Mahoney 2007) around the model.

The interval LOW .. HIGH has 32 bits. A byte is written as soon as both ends share it; no
carry can reach a byte that was written, because the ends only move towards each other.
"""

from .contexts import begin_byte, end_byte, find_blocks
from .journal import rewind
from .layout import (
    CODE,
    HIGH,
    LOW,
    N_IN,
    N_OUT,
    NODE,
    Bytes,
    Index,
    Model,
    compiled,
    inlined,
)
from .prediction import learn, predict

WHOLE = 1 << 32


@compiled
def learn_bytes(m: Model, data: Bytes) -> None:
    """Train the model on bytes that the decoder has too, without coding them."""
    for symbol in data:
        begin_byte(m)
        for shift in range(7, -1, -1):
            if shift == 3:
                find_blocks(m)
            predict(m)
            learn(m, (symbol >> shift) & 1)
        end_byte(m)


@compiled
def encode(m: Model, data: Bytes, code: Bytes) -> None:
    """Append the code of some bytes; it is complete only after `finish`."""
    for symbol in data:
        begin_byte(m)
        for shift in range(7, -1, -1):
            if shift == 3:
                find_blocks(m)
            bit = (symbol >> shift) & 1
            # The bit must not be learned before it is coded: a decoder learns it after.
            _narrow(m, _middle(m, predict(m)), bit)
            while _is_settled(m):
                _write(m, code, m.registers[LOW] >> 24)
                _widen(m)
            learn(m, bit)
        end_byte(m)


@compiled
def finish(m: Model, code: Bytes) -> int:
    """Write the roundest number of the interval; return the length of the code.

    Zeros at its end are not written, since a decoder reads zeros past the end. Bytes
    settled before stay even if they are zeros: else a run of bytes 0xff, whose numbers all
    begin at 0, would cost nothing at any length.
    """
    low, high = m.registers[LOW], m.registers[HIGH]
    # Any number of the interval will do; the one with the fewest bytes is shortest.
    for n_bytes in range(5):
        unit = WHOLE >> (8 * n_bytes)
        value = (low + unit - 1) // unit * unit
        if value <= high:
            break
    for i in range(n_bytes):
        _write(m, code, (value >> (24 - 8 * i)) & 0xFF)
    return int(m.registers[N_OUT])


@compiled
def encode_and_undo(m: Model, data: Bytes, code: Bytes, level: int) -> int:
    """Encode bytes, undo what they taught, and return the length of their code."""
    encode(m, data, code)
    n_bytes = finish(m, code)
    rewind(m, level)
    return n_bytes


@compiled
def decode_and_undo(m: Model, code: Bytes, data: Bytes, level: int) -> None:
    """Fill `data` with the decoded bytes, and undo what they taught."""
    # CODE holds as many bytes as the ends of the interval.
    for _ in range(4):
        _read(m, code)
    for i in range(len(data)):
        begin_byte(m)
        for shift in range(7, -1, -1):
            if shift == 3:
                find_blocks(m)
            middle = _middle(m, predict(m))
            # The encoder has kept the number that is read within the half of the bit.
            bit = 1 if m.registers[CODE] <= middle else 0
            _narrow(m, middle, bit)
            while _is_settled(m):
                _widen(m)
                _read(m, code)
            learn(m, bit)
        data[i] = m.registers[NODE] & 0xFF
        end_byte(m)
    rewind(m, level)


@inlined
def _middle(m: Model, p: int) -> int:
    """Return the last number of the interval that stands for a 1."""
    return int(m.registers[LOW] + (((m.registers[HIGH] - m.registers[LOW]) * p) >> 16))


@inlined
def _narrow(m: Model, middle: int, bit: int) -> None:
    if bit:
        m.registers[HIGH] = middle
    else:
        m.registers[LOW] = middle + 1


@inlined
def _is_settled(m: Model) -> bool:
    """Return True where both ends of the interval share their first byte."""
    return bool((m.registers[LOW] ^ m.registers[HIGH]) >> 24 == 0)


@inlined
def _widen(m: Model) -> None:
    """Drop the first byte of the interval's ends."""
    m.registers[LOW] = (m.registers[LOW] << 8) & (WHOLE - 1)
    m.registers[HIGH] = ((m.registers[HIGH] << 8) & (WHOLE - 1)) | 0xFF


@inlined
def _write(m: Model, code: Bytes, value: int) -> None:
    r = m.registers
    code[Index(r[N_OUT])] = value
    r[N_OUT] += 1


@inlined
def _read(m: Model, code: Bytes) -> None:
    r = m.registers
    value = int(code[Index(r[N_IN])]) if r[N_IN] < len(code) else 0
    r[CODE] = ((r[CODE] << 8) & (WHOLE - 1)) | value
    r[N_IN] += 1
