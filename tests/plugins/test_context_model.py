"""The context model against its formula and against the coder."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness import START, SpecError, Stepwise
from harness.contract.coding import check_frequencies, decode, encode
from harness.contract.registry import load_plugin

PATH = Path(__file__).parents[2] / "plugins" / "context_model"
TOTAL = 1 << 24
CORPUS = [b"the cat sat on the mat. ", b"the dog sat on the log. "]
TEXTS = [b"the hog sat", b"", b"abracadabra abracadabra", b"\x00\xff\x00", b"mat"]


# By the registry: numba finds its cache by the name under which a plugin was imported.
ContextModel = load_plugin(PATH)[0].kind


def by_the_formula(seen: bytes, order: int) -> list[int]:
    """Witten-Bell with dictionaries: the frequencies after the bytes `seen`."""
    counts = defaultdict(Counter)
    for i, symbol in enumerate(seen):
        for o in range(min(order, i) + 1):
            counts[seen[i - o : i]][symbol] += 1
    row = [TOTAL // 256] * 256
    for o in range(min(order, len(seen)) + 1):
        followers = counts.get(seen[len(seen) - o :])
        if followers:
            n, t = followers.total(), len(followers)
            alpha = t * TOTAL // (n + t)
            row = [
                alpha * share // TOTAL + followers[s] * ((TOTAL - alpha) // n)
                for s, share in enumerate(row)
            ]
    row = [1 + share * (TOTAL - 256) // TOTAL for share in row]
    row[row.index(max(row))] += TOTAL - sum(row)
    return row


def rows_of(
    model: Stepwise, samples: list[bytes], context: bytes = b""
) -> NDArray[np.int64]:
    return np.concatenate(list(model.frequencies(samples, context=context)))


@pytest.fixture(params=["unfitted", "fitted"])
def model(request: pytest.FixtureRequest) -> Stepwise:
    new = ContextModel()
    return new if request.param == "unfitted" else new.fit(CORPUS, seed=0)


samples_of_few_symbols = st.lists(
    st.lists(st.sampled_from(b"ab \xff"), max_size=60).map(bytes), max_size=5
)


@settings(max_examples=25, deadline=None)
@given(
    samples=samples_of_few_symbols,
    order=st.integers(0, 6),
    context=st.binary(max_size=9),
)
def test_every_sample_comes_back_from_its_code(
    samples: list[bytes], order: int, context: bytes
) -> None:
    for coder in (
        ContextModel(order=order),
        ContextModel(order=order).fit(CORPUS, seed=0),
    ):
        code = encode(coder, samples, context=context)
        lengths = [len(sample) for sample in samples]
        assert decode(coder, code, lengths, context=context) == samples


def test_a_long_repetitive_text_is_coded_and_comes_back(model: Stepwise) -> None:
    text = b"the cat sat on the mat. " * 400
    code = encode(model, [text])
    assert len(code) < len(text) / 10
    assert decode(model, code, [len(text)]) == [text]


def test_frequencies_are_the_rows_of_step(model: Stepwise) -> None:
    got = rows_of(model, TEXTS, b"on t")
    want = np.concatenate(list(Stepwise.frequencies(model, TEXTS, context=b"on t")))
    check_frequencies(got, 256)
    np.testing.assert_array_equal(got, want)


def test_frequencies_are_the_rows_of_step_across_chunks(model: Stepwise) -> None:
    rng = np.random.default_rng(0)
    samples = [rng.integers(0, 9, n, np.uint8).tobytes() for n in (9000, 12000)]
    for mine, base in zip(
        model.frequencies(samples), _in_chunks_like(model, samples), strict=True
    ):
        np.testing.assert_array_equal(mine, base)


def _in_chunks_like(
    model: Stepwise, samples: list[bytes]
) -> Iterator[NDArray[np.int64]]:
    steps = Stepwise.frequencies(model, samples)
    for chunk in model.frequencies(samples):
        rows = []
        while sum(map(len, rows)) < len(chunk):
            rows.append(next(steps))
        yield np.concatenate(rows)


def test_code_lengths_are_those_of_the_base_class(model: Stepwise) -> None:
    samples = [*TEXTS, b"the cat " * 5000, b"a"]
    np.testing.assert_allclose(
        model.code_lengths(samples, context=b"the"),
        Stepwise.code_lengths(model, samples, context=b"the"),
        rtol=1e-12,
    )


@pytest.mark.parametrize("order", [0, 1, 3, 6])
def test_frequencies_are_those_of_the_formula(order: int) -> None:
    text = b"abracadabra, abracadabra!"
    rows = rows_of(ContextModel(order=order), [text])
    for i, row in enumerate(rows):
        assert row.tolist() == by_the_formula(text[:i], order)


@pytest.mark.parametrize("order", [0, 2, 3, 6])
def test_fitted_bytes_and_context_count_like_bytes_seen(order: int) -> None:
    fitted, context, text = b"".join(CORPUS), b"the c", b"cat on the hat"
    rows = rows_of(ContextModel(order=order).fit(CORPUS, seed=0), [text], context)
    for i, row in enumerate(rows):
        assert row.tolist() == by_the_formula(fitted + context + text[:i], order)


def test_streams_know_nothing_of_each_other() -> None:
    alone = rows_of(ContextModel(), [b"banana"])
    state = ContextModel().start(2)
    last = np.array([START, START])
    for i, symbol in enumerate(b"banana"):
        state, rows = ContextModel().step(state, last)
        np.testing.assert_array_equal(rows[0], alone[i])
        last = np.array([symbol, i])


@settings(max_examples=25, deadline=None)
@given(a=samples_of_few_symbols, b=samples_of_few_symbols, order=st.integers(0, 6))
def test_fitting_in_two_goes_is_fitting_at_once(
    a: list[bytes], b: list[bytes], order: int
) -> None:
    new = ContextModel(order=order)
    twice, once = new.fit(a, seed=0).fit(b, seed=0), new.fit(a + b, seed=0)
    for name in ("keys", "counts", "tail"):
        np.testing.assert_array_equal(twice.learned[name], once.learned[name])
        assert twice.learned[name].dtype == once.learned[name].dtype


def test_fitted_keys_are_sorted_and_typed() -> None:
    learned = ContextModel().fit(CORPUS, seed=0).learned
    assert (np.diff(learned["keys"].astype(np.int64)) > 0).all()
    types = [learned[name].dtype.name for name in ("keys", "counts", "tail")]
    assert types == ["uint64", "uint32", "uint8"]


@pytest.mark.parametrize("order", [-1, 7])
def test_orders_outside_0_to_6_are_refused(order: int) -> None:
    with pytest.raises(SpecError, match="order"):
        ContextModel(order=order)
