"""Exact length of a deflate stream, without its bits (compiled).

Follows zlib by Gailly and Adler: the lazy parse of `deflate_slow` and `longest_match` in
deflate.c, the Huffman codes of `build_tree`, `gen_bitlen` and `scan_tree` in trees.c, the
format of RFC 1951. A length depends on every tie these break, so the heap here is theirs.

The parse of x is shared by all y: it stops before the first decision that could depend on
what follows x. All that is compiled lies in one file, as numba does not see a change in
another. Nothing allocates: without reference counting this is almost twice as fast.
"""

import numpy as np

from . import tables as t
from .compiling import cached, compiled, inlined
from .tables import Bytes, Ints, Parse, Settings, Span, Text, Tree, Workspace


@inlined
def _copy(source: Ints, target: Ints) -> None:
    # A slice would drag numpy's broadcasting into the compilation.
    for i in range(len(source)):
        target[i] = source[i]


@inlined
def _hash(text: Text, at: int) -> int:
    """Return zlib's rolling hash of three bytes (15 bits, shifted by 5)."""
    word = text.words[np.uint64(at)]
    mixed: int = (word & 0xFF) << 10 ^ (word >> 8 & 0xFF) << 5 ^ word >> 16 & 0xFF
    return mixed & t.HASH_MASK


@inlined
def _insert(text: Text, at: int) -> int:
    """Enter a position into its chain; return the latest one before it (0 is none)."""
    # An unsigned index saves the test for a negative one.
    key = np.uint64(_hash(text, at))
    latest: int = text.head[key]
    text.before[np.uint64(at)] = latest
    text.head[key] = at
    return latest


@inlined
def _n_equal(difference: int) -> int:
    """Return how many bytes, lowest first, are 0 in a word that is not."""
    n = 0
    if difference & 0xFFFFFFFF == 0:
        n, difference = 4, difference >> 32
    if difference & 0xFFFF == 0:
        n, difference = n + 2, difference >> 16
    return n + 1 if difference & 0xFF == 0 else n


@inlined
def _n_shared(words: Ints, a: int, b: int, limit: int) -> int:
    """Return how many bytes from a and from b are the same, at most `limit`."""
    for i in range(0, limit, t.WORD_BYTES):
        difference = words[np.uint64(a + i)] ^ words[np.uint64(b + i)]
        if difference != 0:
            return min(i + _n_equal(difference), limit)
    return limit


@inlined
def _must_have(words: Ints, start: int, best: int) -> tuple[int, int, int]:
    """Return offset, word and mask of bytes that a match longer than `best` has in common."""
    offset = max(best + 1 - t.WORD_BYTES, 0)
    mask = -1 if best >= t.WORD_BYTES - 1 else (1 << (8 * (best + 1))) - 1
    return offset, words[np.uint64(start + offset)], mask


@inlined
def _longest_match(
    text: Text, ahead: int, last: Parse, settings: Settings
) -> tuple[int, int]:
    """Return length and position of the latest longest match, if longer than the last.

    The length is the last one's where nothing longer is found, and at most `ahead`.
    """
    words, before, start = text.words, text.before, last.at
    best, match, chain = last.length, last.match, settings.chain
    if best >= ahead:
        return ahead, match
    # As zlib: a good match already shortens the search for a better one.
    if best >= settings.good:
        chain >>= 2
    limit, nice = min(ahead, t.MAX_MATCH), min(ahead, settings.nice)
    offset, word, mask = _must_have(words, start, best)
    candidate = before[np.uint64(start)]
    while candidate > 0 and chain > 0:
        if (words[np.uint64(candidate + offset)] ^ word) & mask == 0:
            length = _n_shared(words, start, candidate, limit)
            # Strictly longer: of equal matches zlib keeps the nearest.
            if length > best:
                best, match = length, candidate
                if length >= nice:
                    break
                offset, word, mask = _must_have(words, start, best)
        candidate = before[np.uint64(candidate)]
        chain -= 1
    return best, match


@inlined
def _take_match(work: Workspace, n: int, last: Parse) -> Parse:
    """Count the last match and enter the positions it covers."""
    length_symbol = t.LENGTH_SYMBOL[np.uint64(last.length - t.MIN_MATCH)]
    distance_symbol = t.DISTANCE_SYMBOL[np.uint64(last.at - last.match - 2)]
    work.literals.counts[np.uint64(length_symbol)] += 1
    work.distances.counts[np.uint64(distance_symbol)] += 1
    end = last.at + last.length - 1
    for at in range(last.at + 1, min(end, n - t.MIN_MATCH + 1)):
        _insert(work.text, at)
    return Parse(end, False, t.MIN_MATCH - 1, last.match, last.n_symbols + 1)


@compiled
def _parse(work: Workspace, span: Span, parse: Parse, settings: Settings) -> Parse:
    """Continue the parse to the end (`deflate_slow`), counting symbols.

    An open span stops, with nothing of it counted or entered, before a decision that the
    bytes to follow could change.
    """
    text = work.text
    while parse.at < span.n:
        at, pending, length, new_match, n_symbols = parse
        ahead, new_length = span.n - at, t.MIN_MATCH - 1
        if span.is_open and ahead < max(length + 1, t.MIN_MATCH):
            break
        if ahead >= t.MIN_MATCH:
            latest = _insert(text, at)
            if latest > 0 and length < settings.lazy:
                new_length, new_match = _longest_match(text, ahead, parse, settings)
                if span.is_open and new_length >= ahead:
                    text.head[_hash(text, at)] = latest
                    break
                if new_length == t.MIN_MATCH and at - new_match > t.TOO_FAR:
                    new_length = t.MIN_MATCH - 1
        if length >= t.MIN_MATCH and new_length <= length:
            parse = _take_match(work, span.n, parse)
        else:
            if pending:
                work.literals.counts[text.words[np.uint64(at - 1)] & 0xFF] += 1
            parse = Parse(at + 1, True, new_length, new_match, n_symbols + pending)
    return parse


@inlined
def _sink(heap: Ints, size: int, slot: int) -> None:
    """Move a node down to where both its sons are larger (`pqdownheap`).

    An entry is frequency, depth, node; nodes are not compared, a tie goes to the later
    son. The slot after the last is NO_NODE.
    """
    entry = heap[np.uint64(slot)]
    son = slot << 1
    while son <= size:
        least, right = heap[np.uint64(son)], heap[np.uint64(son + 1)]
        if right >> t.NODE_BITS <= least >> t.NODE_BITS:
            least, son = right, son + 1
        if entry >> t.NODE_BITS <= least >> t.NODE_BITS:
            break
        heap[np.uint64(slot)] = least
        slot, son = son, son << 1
    heap[np.uint64(slot)] = entry


@inlined
def _fill_heap(tree: Tree) -> tuple[int, int, int]:
    """Enter the symbols that occur, two at least; return heap size, last symbol, n forced."""
    counts, heap = tree.counts, tree.heap
    size, last, n_forced = 0, -1, 0
    for symbol in range(tree.n_symbols):
        # Every symbol is written, but only one that occurs stays: no branch to guess.
        heap[np.uint64(size + 1)] = counts[symbol] << t.FREQUENCY_SHIFT | symbol
        tree.bits[symbol] = 0
        size += counts[symbol] > 0
        last = symbol if counts[symbol] > 0 else last
    while size < 2:
        symbol = last + 1 if last < 2 else 0
        last = max(last, symbol)
        size, n_forced = size + 1, n_forced + 1
        counts[symbol] = 1
        heap[size] = 1 << t.FREQUENCY_SHIFT | symbol
    heap[size + 1] = t.NO_NODE
    for slot in range(size >> 1, 0, -1):
        _sink(heap, size, slot)
    return size, last, n_forced


@inlined
def _merge(tree: Tree, size: int) -> int:
    """Join the two rarest nodes until one is left; return how many nodes `order` holds."""
    heap, order, parents = tree.heap, tree.order, tree.parents
    inner, n_ordered = tree.n_symbols, 0
    while size >= 2:
        a = heap[1]
        heap[1] = heap[np.uint64(size)]
        heap[np.uint64(size)] = t.NO_NODE
        size -= 1
        _sink(heap, size, 1)
        b = heap[1]
        depth = max(a & t.DEPTH_MASK, b & t.DEPTH_MASK) + t.ONE_DEEPER
        order[n_ordered], order[n_ordered + 1] = a & t.NODE_MASK, b & t.NODE_MASK
        parents[a & t.NODE_MASK] = parents[b & t.NODE_MASK] = inner
        heap[1] = (a & t.FREQUENCY_MASK) + (b & t.FREQUENCY_MASK) + depth + inner
        inner, n_ordered = inner + 1, n_ordered + 2
        _sink(heap, size, 1)
    order[n_ordered] = heap[1] & t.NODE_MASK
    return n_ordered + 1


@inlined
def _assign_bits(tree: Tree, n_ordered: int, per_length: Ints) -> int:
    """Set the code lengths, cut to the longest allowed; return the bits of all codes."""
    order, bits, total, n_over = tree.order, tree.bits, 0, 0
    for length in range(len(per_length)):
        per_length[length] = 0
    bits[order[n_ordered - 1]] = 0
    for i in range(n_ordered - 2, -1, -1):
        node = order[i]
        length = bits[np.uint64(tree.parents[np.uint64(node)])] + 1
        if length > tree.longest:
            length, n_over = tree.longest, n_over + 1
        bits[np.uint64(node)] = length
        if node < tree.n_symbols:
            per_length[np.uint64(length)] += 1
            total += tree.counts[np.uint64(node)] * length
    return total + _shorten(tree, n_over, per_length) if n_over > 0 else total


@compiled
def _shorten(tree: Tree, n_over: int, per_length: Ints) -> int:
    """Give codes that were cut a place of their own (`gen_bitlen`); return the bits added."""
    longest = tree.longest
    while n_over > 0:
        length = longest - 1
        while per_length[length] == 0:
            length -= 1
        per_length[length] -= 1
        per_length[length + 1] += 2
        per_length[longest] -= 1
        n_over -= 2
    added, i = 0, 0
    for length in range(longest, 0, -1):
        n_codes = per_length[length]
        while n_codes > 0:
            node = tree.order[i]
            i += 1
            if node < tree.n_symbols:
                added += (length - tree.bits[node]) * tree.counts[node]
                tree.bits[node] = length
                n_codes -= 1
    return added


@compiled
def _build(tree: Tree, per_length: Ints) -> tuple[int, int]:
    """Make the code of a tree's counts (`build_tree`); return its last symbol, all bits."""
    size, last, n_forced = _fill_heap(tree)
    n_ordered = _merge(tree, size)
    # A symbol that was only forced in has a code of one bit, which is never sent.
    return last, _assign_bits(tree, n_ordered, per_length) - n_forced


@compiled
def _count_lengths(bits: Ints, last: int, counts: Ints) -> None:
    """Count the symbols that send the code lengths 0 .. last (`scan_tree`)."""
    before, run, most, least, following = -1, 0, 0, 0, bits[0]
    for symbol in range(last + 1):
        current = following
        if run == 0:
            most = 138 if current == 0 else 6 if current == before else 7
            least = 4 if most == 7 else 3
        following = bits[symbol + 1] if symbol < last else -1
        run += 1
        if run < most and current == following:
            continue
        if run < least:
            counts[current] += run
        # A run of equal lengths: the length itself once, then a repeat symbol.
        elif current != 0:
            counts[current] += current != before
            counts[t.REPEAT] += 1
        else:
            counts[t.ZEROS if run <= 10 else t.MANY_ZEROS] += 1
        run, before = 0, current


@inlined
def _header_bits(work: Workspace, last: int, last_distance: int) -> int:
    """Return the bits that send the two codes (`build_bl_tree`)."""
    counts = work.lengths.counts
    _copy(work.lengths.zeros, counts)
    _count_lengths(work.literals.bits, last, counts)
    _count_lengths(work.distances.bits, last_distance, counts)
    _, total = _build(work.lengths, work.per_length)
    for symbol in range(t.REPEAT, t.N_LENGTHS):
        total += counts[symbol] * t.REPEAT_EXTRA[symbol]
    n_sent = t.N_LENGTHS
    while n_sent > 4 and work.lengths.bits[t.LENGTH_ORDER[n_sent - 1]] == 0:
        n_sent -= 1
    return total + 3 * n_sent + 5 + 5 + 4


@inlined
def _block_bytes(work: Workspace, end: Parse) -> int:
    """Return the bytes of one last block: the best of three (`_tr_flush_block`)."""
    literals, distances, n = work.literals.counts, work.distances.counts, end.at
    if end.pending:
        literals[work.text.words[n - 1] & 0xFF] += 1
    # Every block ends with this symbol, also a block of nothing.
    literals[t.END_OF_BLOCK] = 1
    extra, static = 0, 0
    for symbol in range(t.N_LITERALS):
        static += literals[symbol] * t.STATIC_BITS[symbol]
        extra += literals[symbol] * t.LITERAL_EXTRA[symbol]
    for symbol in range(t.N_DISTANCES):
        static += distances[symbol] * t.STATIC_DISTANCE_BITS
        extra += distances[symbol] * t.DISTANCE_EXTRA[symbol]
    last, literal_bits = _build(work.literals, work.per_length)
    last_distance, distance_bits = _build(work.distances, work.per_length)
    dynamic = literal_bits + distance_bits + _header_bits(work, last, last_distance)
    coded = (min(dynamic, static) + extra + 3 + 7) >> 3
    # `_tr_flush_block` compares the stored block without its 3 bits of header.
    return n + 5 if n + 4 <= coded else coded


@inlined
def _write(words: Ints, start: int, data: Bytes) -> None:
    """Put data at `start`, as the end of the text."""
    word = 0
    for i in range(len(data) - 1, -1, -1):
        word = word << 8 | data[i]
        words[np.uint64(start + i)] = word
    for at in range(start - 1, max(start - t.WORD_BYTES, -1), -1):
        word = word << 8 | words[np.uint64(at)] & 0xFF
        words[np.uint64(at)] = word


@inlined
def _forget(text: Text, start: int, n: int) -> None:
    """Take the positions from `start` on out of the hash chains of n bytes."""
    # Latest first: each head falls back to the position before.
    for at in range(n - t.MIN_MATCH, start - 1, -1):
        text.head[np.uint64(_hash(text, at))] = text.before[np.uint64(at)]


@cached
def row_lengths(
    x: Bytes, ys: tuple[Bytes, Ints], settings: Settings, work: Workspace, out: Ints
) -> None:
    """Fill `out` with the bytes of the raw deflate stream of every x + y.

    Args:
        x: the first text, shape (n,).
        ys: the second texts one after the other, and m + 1 bounds: y number j is
            ys[0][ys[1][j] : ys[1][j + 1]].
        settings: of a lazy level.
        work: overwritten; its hash chains are empty before and after.
        out: shape (m,), full of TOO_LONG; this stays where the window or a second block
            would come in.
    """
    (joined, bounds), n_x = ys, len(x)
    # A longer text would make zlib's window slide.
    if n_x > t.MAX_BYTES:
        return
    _copy(work.literals.zeros, work.literals.counts)
    _copy(work.distances.zeros, work.distances.counts)
    _write(work.text.words, 0, x)
    start = Parse(0, False, t.MIN_MATCH - 1, 0, 0)
    # The common part of all parses: what follows x cannot change it.
    shared = _parse(work, Span(n_x, True), start, settings)
    _copy(work.literals.counts, work.literals.saved)
    _copy(work.distances.counts, work.distances.saved)
    for j in range(len(out)):
        n = n_x + bounds[j + 1] - bounds[j]
        if n <= t.MAX_BYTES:
            _write(work.text.words, n_x, joined[bounds[j] : bounds[j + 1]])
            _copy(work.literals.saved, work.literals.counts)
            _copy(work.distances.saved, work.distances.counts)
            end = _parse(work, Span(n, False), shared, settings)
            if end.n_symbols < t.BLOCK_SYMBOLS:
                out[j] = _block_bytes(work, end)
            _forget(work.text, shared.at, n)
    _forget(work.text, 0, shared.at + t.MIN_MATCH - 1)
