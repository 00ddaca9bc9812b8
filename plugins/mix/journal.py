"""Undo: every line of memory is noted before its first change, and put back from there.

Levels nest: what happened since `open_level(m, level)` is undone by `rewind(m, level)`, in
time proportional to what was changed, plus a copy of the small tables.
"""

from .layout import EPOCH, LATEST, MARKS, N_SAVED, Model, compiled


@compiled
def touch(m: Model, line: int) -> None:
    """Note a line of memory that is about to change, once per epoch."""
    epoch = m.ledger[EPOCH]
    if m.stamps[line] == epoch:
        return
    k = m.ledger[N_SAVED]
    m.journal[k, 0], m.journal[k, 1] = line, m.stamps[line]
    for i in range(8):
        m.journal[k, 2 + i] = m.quads[8 * line + i]
    m.stamps[line] = epoch
    m.ledger[N_SAVED] = k + 1


@compiled
def open_level(m: Model, level: int) -> None:
    """Begin to note changes, to be undone by `rewind`."""
    m.ledger[MARKS + level] = m.ledger[N_SAVED]
    for i in range(len(m.small)):
        m.saved_small[level, i] = m.small[i]
    for i in range(len(m.registers)):
        m.saved_registers[level, i] = m.registers[i]
    _begin_epoch(m)


@compiled
def rewind(m: Model, level: int) -> None:
    """Undo all changes since the level was opened; it stays open."""
    mark = m.ledger[MARKS + level]
    for k in range(m.ledger[N_SAVED] - 1, mark - 1, -1):
        line = m.journal[k, 0]
        m.stamps[line] = m.journal[k, 1]
        for i in range(8):
            m.quads[8 * line + i] = m.journal[k, 2 + i]
    m.ledger[N_SAVED] = mark
    for i in range(len(m.small)):
        m.small[i] = m.saved_small[level, i]
    for i in range(len(m.registers)):
        m.registers[i] = m.saved_registers[level, i]
    _begin_epoch(m)


@compiled
def _begin_epoch(m: Model) -> None:
    m.ledger[LATEST] += 1
    m.ledger[EPOCH] = m.ledger[LATEST]
