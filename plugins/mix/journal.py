"""Undo journal: each line of memory is saved before its first change, and restored later.

Levels nest: `rewind(m, level)` undoes all changes since `open_level(m, level)`, in time
proportional to the number of changed lines, plus a copy of the small tables.
"""

from .layout import EPOCH, LATEST, MARKS, N_SAVED, Index, Model, compiled, inlined


@inlined
def touch(m: Model, line: int) -> None:
    """Save a line of memory that is about to change, once per epoch."""
    epoch, at = m.ledger[EPOCH], Index(line)
    if m.stamps[at] == epoch:
        return
    k = Index(m.ledger[N_SAVED])
    m.journal[k, 0], m.journal[k, 1] = line, m.stamps[at]
    for i in range(8):
        m.journal[k, 2 + i] = m.quads[Index(8 * line + i)]
    m.stamps[at] = epoch
    m.ledger[N_SAVED] += 1


@compiled
def open_level(m: Model, level: int) -> None:
    """Begin to save changes, to be undone by `rewind`."""
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
    # Latest first: a line saved at both levels ends as the outer level saw it.
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


@inlined
def _begin_epoch(m: Model) -> None:
    # A number never used before: stamps that were restored must not look current.
    m.ledger[LATEST] += 1
    m.ledger[EPOCH] = m.ledger[LATEST]
