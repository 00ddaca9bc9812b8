"""Statistics of the registered test: second implementations, closed cases, simulations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.evidence.block import (
    STATISTICS,
    Block,
    between,
    kendall,
    overall,
    partial,
    ranks,
    unit,
    within,
    without_each_family,
)
from harness.evidence.bootstrap import (
    Replicates,
    family_counts,
    two_way_intervals,
    weighted_spearman,
)
from harness.evidence.curve import Points, curve_word, deviations, falling_curve
from harness.evidence.permutation import between_p, holm_over, within_p
from harness.evidence.simulation import (
    Layout,
    minimum_detectable_effect,
    simulated_block,
)
from harness.evidence.slopes import slopes
from harness.evidence.verdict import Estimate, Findings, verdict

UNEQUAL = (1, 2, 3, 3, 4, 2, 3, 5)
EQUAL = (3,) * 8
N_SMALL, N_LARGE = 200, 1000


def rng(seed=0):
    return np.random.default_rng(seed)


def block_of(effect=0.5, *, sizes=UNEQUAL, n_datasets=6, icc=0.5, seed=0):
    layout = Layout(sizes=sizes, n_datasets=n_datasets, intra_family=icc)
    return simulated_block(layout, effect, rng(seed))


def with_ties(block):
    return Block(
        rate=np.round(block.rate), metric=np.round(block.metric), family=block.family
    )


def by_dataset(block, of):
    pairs = zip(block.rate.T, block.metric.T, strict=True)
    return float(np.mean([of(x, y).statistic for x, y in pairs]))


@pytest.mark.parametrize("make", [lambda b: b, with_ties])
def test_the_statistic_is_the_mean_of_scipys_spearman(make):
    block = make(block_of())
    assert overall(block) == pytest.approx(by_dataset(block, scipy_stats.spearmanr))


@pytest.mark.parametrize("make", [lambda b: b, with_ties])
def test_kendall_is_the_mean_of_scipys_tau_b(make):
    block = make(block_of())
    assert kendall(block) == pytest.approx(by_dataset(block, scipy_stats.kendalltau))


def test_a_data_set_on_which_all_tie_counts_as_zero():
    block = block_of()
    metric = block.metric.copy()
    metric[:, 0] = 0.5
    tied = Block(rate=block.rate, metric=metric, family=block.family)
    others = Block(
        rate=block.rate[:, 1:], metric=block.metric[:, 1:], family=block.family
    )
    assert overall(tied) == pytest.approx(overall(others) * 5 / 6)


def test_between_is_spearman_of_mean_ranks_by_loops():
    block = with_ties(block_of())
    values = []
    for x, y in zip(block.rate.T, block.metric.T, strict=True):
        a, b = scipy_stats.rankdata(x), scipy_stats.rankdata(y)
        means = [
            (a[block.family == f].mean(), b[block.family == f].mean()) for f in range(8)
        ]
        values.append(scipy_stats.spearmanr(np.array(means)).statistic)
    assert between(block) == pytest.approx(np.mean(values))


def test_within_is_the_correlation_of_ranks_about_family_means_by_loops():
    block = with_ties(block_of())
    values = []
    for x, y in zip(block.rate.T, block.metric.T, strict=True):
        a, b = scipy_stats.rankdata(x), scipy_stats.rankdata(y)
        for f in range(8):
            a[block.family == f] -= a[block.family == f].mean()
            b[block.family == f] -= b[block.family == f].mean()
        values.append(float(a @ b / math.sqrt((a @ a) * (b @ b))))
    assert within(block) == pytest.approx(np.mean(values))


def test_within_and_between_part_an_effect_that_reverses_between_families():
    """Simpson: inside each of six families upwards, between them downwards."""
    family = np.repeat(np.arange(6), 3)
    member = np.tile([0.0, 1.0, 2.0], 6)
    rate = np.repeat((10.0 * family + member)[:, None], 5, axis=1)
    metric = np.repeat((-10.0 * family + member)[:, None], 5, axis=1)
    block = Block(rate=rate, metric=metric, family=family)
    assert within(block) == pytest.approx(1.0)
    assert between(block) == pytest.approx(-1.0)
    assert overall(block) < 0


def test_partial_is_the_correlation_of_what_regression_on_ranks_leaves():
    block = block_of()
    covariate = rng(5).normal(size=block.rate.shape) + block.rate
    values = []
    for d in range(6):
        x, y, z = (
            scipy_stats.rankdata(v[:, d]) for v in (block.rate, block.metric, covariate)
        )
        left = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
        values.append(np.corrcoef(*left)[0, 1])
    assert partial(block, covariate) == pytest.approx(np.mean(values))


def test_partial_on_the_rate_itself_leaves_nothing():
    block = block_of()
    assert partial(block, np.exp(block.rate)) == 0.0


def test_leaving_a_family_out_is_the_statistic_of_the_other_rows():
    block = block_of()
    for family, value in without_each_family(block).items():
        kept = block.family != family
        pairs = zip(block.rate[kept].T, block.metric[kept].T, strict=True)
        by_scipy = [scipy_stats.spearmanr(x, y).statistic for x, y in pairs]
        assert value == pytest.approx(np.mean(by_scipy))


def test_weighted_spearman_is_scipys_on_repeated_rows():
    block = with_ties(block_of())
    counts = rng(1).multinomial(23, np.full(23, 1 / 23), 5)
    found = weighted_spearman(block.rate, block.metric, counts)
    for weights, row in zip(counts, found, strict=True):
        rows = np.repeat(np.arange(23), weights)
        for d, value in enumerate(row):
            by_scipy = scipy_stats.spearmanr(block.rate[rows, d], block.metric[rows, d])
            assert value == pytest.approx(by_scipy.statistic)


def test_intervals_equal_those_of_a_loop_over_repeated_rows(monkeypatch):
    block = block_of(0.6)
    quantiles = dict.fromkeys(STATISTICS, 0.1)
    monkeypatch.setattr("harness.evidence.bootstrap._tails", lambda _: quantiles)
    low, high = two_way_intervals(Replicates.of(block), rng(), 4000)["overall"]
    draw, values = rng(3), []
    for _ in range(1500):
        families = draw.integers(0, 8, 8)
        rows = np.concatenate([np.flatnonzero(block.family == f) for f in families])
        picked = np.ix_(rows, draw.integers(0, 6, 6))
        again = Block(
            rate=block.rate[picked], metric=block.metric[picked], family=rows * 0
        )
        values.append(overall(again))
    assert (low, high) == pytest.approx(np.quantile(values, [0.1, 0.9]), abs=0.04)


def test_no_resample_is_of_a_single_family():
    assert ((family_counts(3, 500, rng()) > 0).sum(axis=1) >= 2).all()


def test_noise_in_the_replicates_widens_the_interval():
    block = block_of(0.9, n_datasets=8)
    noise = rng(2).normal(size=(100, *block.metric.shape))
    noisy = Replicates(
        rate=np.repeat(block.rate[None], 100, axis=0),
        metric=block.metric + noise,
        family=block.family,
    )
    plain = two_way_intervals(Replicates.of(block), rng(), 1000)["within"]
    wide = two_way_intervals(noisy, rng(), 1000)["within"]
    assert np.diff(wide) > 1.2 * np.diff(plain)


def test_between_p_of_unequal_families_is_that_of_all_orders():
    block = block_of(0.9, sizes=(1, 2, 3, 1, 2))
    x, y = STATISTICS["between"](block), []
    for order in itertools.permutations(range(5)):
        means = [
            [r[block.family == f].mean(axis=0) for f in range(5)]
            for r in (ranks(block.rate), ranks(block.metric))
        ]
        pairs = zip(np.array(means[0])[[*order]].T, np.array(means[1]).T, strict=True)
        y.append(np.mean([scipy_stats.spearmanr(a, b).statistic for a, b in pairs]))
    tail = min(np.mean(np.array(y) >= x - 1e-9), np.mean(np.array(y) <= x + 1e-9))
    assert between_p(block, rng(), 20000) == pytest.approx(min(1.0, 2 * tail), abs=0.01)


def test_between_p_of_equal_families_is_that_of_all_orders_of_blocks():
    block = block_of(0.7, sizes=(3,) * 5)
    by_rate = np.lexsort((ranks(block.rate).mean(axis=1), block.family)).reshape(5, 3)
    y_rows, observed, drawn = by_rate.ravel(), overall(block), []
    for order in itertools.permutations(range(5)):
        x_rows = by_rate[[*order]].ravel()
        pairs = zip(block.rate[x_rows].T, block.metric[y_rows].T, strict=True)
        drawn.append(np.mean([scipy_stats.spearmanr(a, b).statistic for a, b in pairs]))
    above = np.mean(np.array(drawn) >= observed - 1e-9)
    below = np.mean(np.array(drawn) <= observed + 1e-9)
    expected = min(1.0, 2 * min(above, below))
    assert between_p(block, rng(), 20000) == pytest.approx(expected, abs=0.01)


def test_within_p_is_that_of_all_orders_inside_families():
    block = block_of(0.8, sizes=(3, 2, 3, 1))
    observed, drawn = within(block), []
    members = [np.flatnonzero(block.family == f) for f in range(4)]
    for orders in itertools.product(*(itertools.permutations(m) for m in members)):
        rows = np.concatenate(orders)
        moved = Block(
            rate=block.rate[rows],
            metric=block.metric[np.concatenate(members)],
            family=block.family[np.concatenate(members)],
        )
        drawn.append(within(moved))
    above = np.mean(np.array(drawn) >= observed - 1e-9)
    below = np.mean(np.array(drawn) <= observed + 1e-9)
    expected = min(1.0, 2 * min(above, below))
    assert within_p(block, rng(), 20000) == pytest.approx(expected, abs=0.015)


def test_nothing_can_be_permuted_inside_families_of_one():
    assert math.isnan(within_p(block_of(sizes=(1,) * 6), rng(), 99))
    assert math.isnan(between_p(block_of(sizes=(4,)), rng(), 99))


def test_holm_counts_a_missing_p_as_one():
    assert holm_over({"G": 0.02, "R": math.nan}) == {"G": 0.04, "R": 1.0}
    assert holm_over({"G": 0.02, "R": 0.03}) == {"G": 0.04, "R": 0.04}


def test_slopes_are_those_of_a_least_squares_fit_with_an_intercept_per_group():
    block = block_of(0.5)
    found = slopes(block, rng())
    for slope in found[:-2]:
        rows = np.flatnonzero(block.family == slope.family)
        design = np.kron(np.eye(6), np.ones((len(rows), 1)))
        design = np.column_stack([block.rate[rows].T.ravel(), design])
        expected = np.linalg.lstsq(design, block.metric[rows].T.ravel(), rcond=None)
        assert slope.value == pytest.approx(expected[0][0])
        assert slope.ci_low <= slope.value <= slope.ci_high
    groups = [(f, d) for d in range(6) for f in block.family]
    design = np.array([[g == c for c in dict.fromkeys(groups)] for g in groups], float)
    design = np.column_stack([block.rate.T.ravel(), design])
    expected = np.linalg.lstsq(design, block.metric.T.ravel(), rcond=None)[0][0]
    (all_within,) = [slope for slope in found if slope.kind == "within"]
    assert all_within.value == pytest.approx(expected)


def test_a_single_compressor_family_has_no_slope_of_its_own():
    found = [slope.family for slope in slopes(block_of(), rng())]
    assert found == [1, 2, 3, 4, 5, 6, 7, None, None]


def estimate(value, half=0.1):
    return Estimate(value=value, ci_low=value - half, ci_high=value + half)


def findings(value, p, **changes):
    same = {"isolated rates": 0.3, "prequential rates": 0.3, "equal bytes": 0.3}
    about = {
        "deciding": estimate(value),
        "overall": estimate(value),
        "p": p,
        "n_families": 6,
        "n_datasets": 5,
        "checks": same,
    }
    return Findings(**(about | changes))


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (findings(0.6, 0.01), "supported"),
        (findings(-0.6, 0.01), "opposite"),
        (findings(0.05, 0.6), "not supported"),
        (findings(0.6, 0.2, deciding=estimate(0.6, 0.7)), "undecided"),
        (findings(0.6, 0.01, n_families=5), "undecided by design"),
        (findings(0.6, 0.01, n_datasets=4), "undecided by design"),
        # What a test needs beyond p:
        (findings(0.6, 0.01, deciding=estimate(0.6, 0.7)), "undecided"),
        (findings(0.6, 0.01, overall=estimate(-0.1)), "undecided"),
        (findings(0.6, 0.01, checks={}), "undecided"),
        (
            findings(
                0.6,
                0.01,
                checks={
                    "isolated rates": -0.1,
                    "prequential rates": 0.3,
                    "equal bytes": 0.3,
                },
            ),
            "undecided",
        ),
        (findings(0.2, 0.01, overall=estimate(-0.1)), "not supported"),
        (findings(-0.6, 0.2), "not supported"),
        (findings(math.nan, math.nan, n_families=0), "undecided by design"),
        (findings(math.nan, 1.0), "undecided"),
    ],
)
def test_the_verdict_follows_its_rules(found, word):
    assert verdict(found).word == word


def test_reasons_name_the_check_that_changes_the_sign_and_the_one_not_measured():
    checks = {"isolated rates": -0.1, "equal bytes": 0.3}
    reasons = verdict(findings(0.6, 0.01, checks=checks)).reasons
    assert reasons == (
        "isolated rates: the sign changes (-0.10)",
        "prequential rates: not measured",
    )


def test_more_families_detect_smaller_effects():
    few, many = (
        minimum_detectable_effect(
            Layout(sizes=(3,) * n, n_datasets=6), decided_by="between", alpha=0.05
        )
        for n in (6, 20)
    )
    assert many.effect < few.effect
    assert many.power >= 0.8


def test_nothing_is_detectable_inside_families_of_one():
    layout = Layout(sizes=(1,) * 8, n_datasets=6)
    found = minimum_detectable_effect(layout, decided_by="within", alpha=0.05)
    assert math.isnan(found.effect)


def test_the_simulated_population_has_the_correlations_it_says():
    layout = Layout(sizes=(4,) * 500, n_datasets=2, intra_family=0.6)
    block = simulated_block(layout, 0.4, rng())
    assert np.corrcoef(block.rate[:, 0], block.metric[:, 0])[0, 1] == pytest.approx(
        0.4, abs=0.06
    )
    assert np.corrcoef(block.rate[::4, 0], block.rate[1::4, 0])[0, 1] == pytest.approx(
        0.6, abs=0.1
    )
    assert block.rate.std() == pytest.approx(1.0, abs=0.05)


# Simulations of a true null and of effects, in the conditions of real tables.


def hard_and_missing(block, draw, share_missing=0.01):
    """Data sets that differ in difficulty, and cells missing: what stays complete."""
    n, n_datasets = block.rate.shape
    difficulty = draw.normal(scale=3, size=n_datasets)
    complete = (draw.random((n, n_datasets)) >= share_missing).all(axis=1)
    hard = Block(
        rate=block.rate + difficulty,
        metric=block.metric - difficulty,
        family=block.family,
    )
    return hard.take(np.flatnonzero(complete))


def single_compressor_p(block, draw, n_permutations=199):
    """The wrong test: relatives permuted as if they were independent."""
    products = unit(ranks(block.rate)) @ unit(ranks(block.metric)).T
    n = len(products)
    orders = np.argsort(draw.random((n_permutations, n)), axis=1)
    drawn = products[orders, np.arange(n)].sum(axis=1)
    strays = np.abs(drawn) >= abs(np.trace(products)) - 1e-9
    return (1 + strays.sum()) / (1 + n_permutations)


def pooled_p(block):
    """The other wrong test: all cells of all data sets as one sample."""
    return scipy_stats.spearmanr(block.rate.ravel(), block.metric.ravel()).pvalue


def rejections(sizes, icc, n, tests, seed=0):
    """Share of simulated true nulls that each test rejects at .05."""
    draw, counts = rng(seed), np.zeros(len(tests))
    layout = Layout(sizes=sizes, n_datasets=6, intra_family=icc)
    for _ in range(n):
        block = hard_and_missing(simulated_block(layout, 0.0, draw), draw)
        counts += [test(block, draw) <= 0.05 for test in tests]
    return counts


def right_tests():
    return [lambda b, r: between_p(b, r, 199), lambda b, r: within_p(b, r, 199)]


def assert_about(count, n, share, *, only_above=False):
    low, high = scipy_stats.binom.interval(0.998, n, share)
    assert count >= low, f"{count} of {n}, expected at least {low}"
    if not only_above:
        assert count <= high, f"{count} of {n}, expected at most {high}"


def check_size(sizes, icc, n):
    for count in rejections(sizes, icc, n, right_tests()):
        assert_about(count, n, 0.05)


def check_coverage(icc, effect, n, n_resamples):
    """Coverage of the statistic's own expectation, from blocks of the same layout."""
    layout = Layout(sizes=UNEQUAL, n_datasets=6, intra_family=icc)
    draw = rng(7)
    blocks = [simulated_block(layout, effect, draw) for _ in range(2 * n)]
    truth = {k: np.mean([of(b) for b in blocks]) for k, of in STATISTICS.items()}
    covered = dict.fromkeys(STATISTICS, 0)
    for block in blocks[:n]:
        intervals = two_way_intervals(Replicates.of(block), draw, n_resamples)
        for name, (low, high) in intervals.items():
            covered[name] += low <= truth[name] <= high
    for name, count in covered.items():
        # Two-way resampling counts some noise twice (Owen 2007): above is no fault.
        assert_about(count, n, 0.95, only_above=True)
        assert count < n, f"{name}: an interval that never misses says nothing"


@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("icc", [0.0, 0.85])
def test_the_right_tests_reject_a_true_null_as_often_as_they_say(sizes, icc):
    check_size(sizes, icc, N_SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("icc", [0.0, 0.5, 0.7, 0.85])
def test_the_right_tests_reject_a_true_null_as_often_as_they_say_at_length(sizes, icc):
    check_size(sizes, icc, N_LARGE)


def test_permuting_single_compressors_rejects_a_true_null_too_often():
    (count,) = rejections(UNEQUAL, 0.85, N_SMALL, [single_compressor_p])
    assert count > scipy_stats.binom.isf(0.001, N_SMALL, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.5, 0.7, 0.85])
def test_permuting_single_compressors_rejects_a_true_null_too_often_at_length(icc):
    (count,) = rejections(UNEQUAL, icc, N_LARGE, [single_compressor_p])
    assert count > scipy_stats.binom.isf(0.001, N_LARGE, 0.05)


def test_pooling_all_cells_finds_difficulty_instead_of_the_effect():
    draw, pooled, averaged = rng(4), [], []
    layout = Layout(sizes=UNEQUAL, n_datasets=6)
    for _ in range(60):
        block = hard_and_missing(simulated_block(layout, 0.6, draw), draw)
        cells = (block.rate.ravel(), block.metric.ravel())
        pooled.append(scipy_stats.spearmanr(*cells).statistic)
        averaged.append(overall(block))
    assert np.mean(averaged) > 0.4
    assert np.mean(pooled) < -0.4


def test_pooling_all_cells_rejects_a_true_null_almost_always():
    (count,) = rejections(UNEQUAL, 0.5, 60, [lambda b, _: pooled_p(b)])
    assert count > 0.9 * 60


def test_difficulty_of_data_sets_does_not_move_the_statistic():
    block = block_of(0.5)
    moved = hard_and_missing(block, rng(1), share_missing=0.0)
    assert overall(moved) == pytest.approx(overall(block))


@pytest.mark.parametrize("icc", [0.0, 0.85])
def test_intervals_cover_at_least_as_often_as_they_say(icc):
    check_coverage(icc, 0.5, N_SMALL, 400)


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.0, 0.5, 0.85])
@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_intervals_cover_at_least_as_often_as_they_say_at_length(icc, effect):
    check_coverage(icc, effect, N_LARGE, 500)


def brute_falling(values):
    """The least-squares fall, by max-min of averages (Robertson et al. 1988)."""
    n = len(values)
    return [
        min(max(np.mean(values[a : b + 1]) for b in range(i, n)) for a in range(i + 1))
        for i in range(n)
    ]


def test_the_falling_curve_is_the_min_max_of_averages():
    accuracy = rng(3).normal(size=12) - np.linspace(0, 2, 12)
    places, values = falling_curve(np.arange(12.0), accuracy)
    assert places.tolist() == list(range(12))
    assert values == pytest.approx(brute_falling(accuracy))


def points_of(lift, *, n_points=6, noise=0.002):
    """Two data sets, three interventions on accuracy = .9 - .1 bits; the last is lifted."""
    draw, rows = rng(9), []
    for dataset in range(2):
        for kind in range(3):
            for bits in draw.uniform(1, 4, n_points):
                off = lift if kind == 2 else 0.0
                accuracy = 0.9 - 0.1 * bits + off + noise * draw.normal()
                rows.append((bits, accuracy, kind, dataset))
    bits, accuracy, kinds, datasets = np.array(rows).T
    return Points(
        bits=bits,
        accuracy=accuracy,
        intervention=kinds.astype(int),
        dataset=datasets.astype(int),
    )


def test_interventions_on_one_curve_suffice_and_a_lifted_one_does_not():
    assert curve_word(deviations(points_of(0.0), rng()), 0.05) == "suffice"
    lifted = deviations(points_of(-0.2), rng())
    assert curve_word(lifted, 0.05) == "do not suffice"
    assert lifted[2].value == pytest.approx(-0.2, abs=0.05)


def test_few_or_scattered_points_leave_one_curve_undecided():
    assert (
        curve_word(deviations(points_of(0.0, n_points=1), rng()), 0.05) == "undecided"
    )
    scattered = points_of(0.0, n_points=4, noise=0.2)
    assert curve_word(deviations(scattered, rng()), 0.05) == "undecided"
    assert curve_word([], 0.05) == "undecided"


def test_a_curve_is_not_read_beyond_the_bits_of_the_others():
    inside = points_of(0.0)
    far = Points(
        bits=np.where(inside.intervention == 2, inside.bits + 10, inside.bits),
        accuracy=inside.accuracy,
        intervention=inside.intervention,
        dataset=inside.dataset,
    )
    (*_, last) = deviations(far, rng())
    assert (last.n, math.isnan(last.value)) == (0, True)
