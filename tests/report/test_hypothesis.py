"""The registered test end to end, on records made from blocks with a known effect."""

import json
import math

import altair as alt
import jsonschema
import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.evidence.block import Block
from harness.evidence.simulation import Layout, simulated_block
from harness.registration import Claim, Registered, Registration
from harness.report.hypothesis import (
    detectable_effects,
    hypothesis_report,
    stored_arrays,
)
from harness.report.hypothesis_block import N_REPLICATES, claim_block, inner_level
from harness.report.hypothesis_charts import (
    accuracy_against_bits,
    forest_of_slopes,
    scatter_by_dataset,
)
from harness.report.hypothesis_text import hypothesis_document

DATASETS = [f"set{d}" for d in range(6)]
SIZES = (3, 3, 3, 2, 4, 3, 2, 4)
G = Claim(name="G", task="class_adapt", equal_bytes=True)
R = Claim(name="R", task="layer_probe", score="balanced_accuracy_middle_pca64")


def registration(**changes):
    about = {
        "claims": [G, R],
        "datasets": DATASETS,
        "n_permutations": 499,
        "n_resamples": 400,
    }
    return Registration(**(about | changes))


def score(name, value, **about):
    rest = {"unit": "", "state": "", "route": "", "n": 50, "note": ""}
    ends = {"ci_low": value - 0.01, "ci_high": value + 0.01, "realised": ""}
    return {"name": name, "value": float(value), **rest, **ends, **about}


def record(spec, family, dataset, task, scores, **about):
    subject = {
        "spec": spec,
        "name": spec.split("(")[0],
        "family": family,
        "fields": {},
        "ladder_field": "",
    }
    job = {
        "suite": "t",
        "dataset": dataset,
        "subject": subject | about.pop("subject", {}),
        "task": task,
        "version": about.pop("version", 1),
        "seed": 0,
        "draw": about.pop("draw", 0),
        "official": True,
        "parameters": about.pop("parameters", {}),
    }
    key = f"{spec}/{dataset}/{task}/{job['version']}/{job['draw']}/{job['parameters']}"
    return {
        "job": job,
        "key": key,
        "status": "done",
        "reason": "",
        "scores": scores,
        "artifact_bits": 1000.0,
        "cost": {"cpu_seconds": 1.0},
        **about,
    }


def rates(rate, names=("heldout", "isolated", "prequential")):
    return [score(f"{name}_bpb", rate, realised="decoded") for name in names]


def records_of(block, names=("heldout", "isolated", "prequential")):
    """Every compressor as "cF(m=i)" of family F, each readout with the block's metric."""
    found = []
    for i, family in enumerate(block.family):
        spec, name = f"c{family}(m={i:02d})", f"family {family}"
        for d, dataset in enumerate(DATASETS[: block.rate.shape[1]]):
            coded = rates(4 - block.rate[i, d], names)
            found.append(record(spec, name, dataset, "rates", coded))
            value = 0.5 + 0.1 * block.metric[i, d]
            adapted = [score("balanced_accuracy", value)]
            for equal in (False, True):
                given = {"equal_bytes": equal}
                found.append(
                    record(
                        spec, name, dataset, "class_adapt", adapted, parameters=given
                    )
                )
            probed = [score("balanced_accuracy_middle_pca64", value)]
            found.append(record(spec, name, dataset, "layer_probe", probed))
    return found


def block_of(effect, *, seed=0, sizes=SIZES, n_datasets=6):
    layout = Layout(sizes=sizes, n_datasets=n_datasets, intra_family=0.5)
    return simulated_block(layout, effect, np.random.default_rng(seed))


def no_arrays(_):
    return {}


def report_on(records, registered=None, **changes):
    chosen = registration(**changes)
    registered = registered or Registered(hash=chosen.hash, n_records_before=0)
    return hypothesis_report(records, chosen, registered, no_arrays)


def words(report):
    return [claim.verdict for claim in report.claims]


def test_a_strong_effect_is_supported_for_both_claims():
    assert words(report_on(records_of(block_of(0.99)))) == ["supported", "supported"]


def test_the_reverse_effect_is_opposite():
    assert words(report_on(records_of(block_of(-0.99)))) == ["opposite", "opposite"]


def test_five_families_or_four_data_sets_are_undecided_by_design():
    few = block_of(0.99, sizes=SIZES[:5])
    assert words(report_on(records_of(few))) == ["undecided by design"] * 2
    short = records_of(block_of(0.99, n_datasets=4))
    found = report_on(short, datasets=DATASETS[:4])
    assert words(found) == ["undecided by design"] * 2
    assert "data sets: 4, needed: 5" in found.claims[0].sentence


def test_r_counts_only_families_with_two_members():
    report = report_on(records_of(block_of(0.99, sizes=(3, 3, 3, 3, 3, 1, 1, 1))))
    assert words(report) == ["supported", "undecided by design"]
    assert report.claims[1].n_families_deciding == 5


def test_without_prequential_rates_nothing_is_supported():
    report = report_on(records_of(block_of(0.99), names=("heldout", "isolated")))
    assert words(report) == ["undecided", "undecided"]
    assert "prequential rates: not measured" in report.claims[0].sentence


def test_a_sign_that_changes_at_isolated_rates_is_not_supported():
    block = block_of(0.99)
    flipped = records_of(block, names=("heldout", "prequential"))
    reverse = Block(rate=-block.rate, metric=block.metric, family=block.family)
    flipped += [
        {**r, "key": r["key"] + "/isolated"}
        for r in records_of(reverse, names=("isolated",))
        if r["job"]["task"] == "rates"
    ]
    report = report_on(flipped)
    assert words(report) == ["undecided", "undecided"]
    assert "isolated rates: the sign changes" in report.claims[0].sentence


def test_the_statistic_is_the_mean_of_scipys_spearman_on_each_data_set():
    block = block_of(0.4)
    claim = report_on(records_of(block)).claims[0]
    by_scipy = [
        scipy_stats.spearmanr(block.rate[:, d], block.metric[:, d]).statistic
        for d in range(6)
    ]
    assert claim.statistic == pytest.approx(np.mean(by_scipy))
    assert [*claim.by_dataset.values()] == pytest.approx(by_scipy)


def test_a_compressor_without_all_cells_is_left_out_and_named():
    records = records_of(block_of(0.5))
    gone = "c0(m=00)"
    kept = [
        r
        for r in records
        if not (
            r["job"]["subject"]["spec"] == gone
            and r["job"]["dataset"] == "set2"
            and r["job"]["task"] == "rates"
        )
    ]
    claim = report_on(kept).claims[0]
    assert claim.n_compressors == sum(SIZES) - 1
    assert claim.dropped == {gone: "no rate on set2"}


def test_likelihoods_and_differences_are_no_rates():
    spec = ("a", "f", "set0", "rates")
    held = {"realised": "likelihood"}
    likelihood = record(*spec, [score("heldout_bpb", 2.0, **held)])
    difference = record(
        *spec, [score("heldout_bpb", 2.0, realised="decoded", route="difference")]
    )
    metric = record("a", "f", "set0", "class_adapt", [score("balanced_accuracy", 0.5)])
    one = registration(datasets=["set0"])
    for rate in (likelihood, difference):
        assert claim_block([rate, metric], one, G) is None
    coded = record(*spec, rates(2.0))
    assert claim_block([coded, metric], one, G) is not None


def test_baselines_and_excluded_families_are_no_evidence():
    records = records_of(block_of(0.5))
    coded = [record("majority", "baseline", d, "rates", rates(1.0)) for d in DATASETS]
    adapted = [
        record(
            "majority", "baseline", d, "class_adapt", [score("balanced_accuracy", 1)]
        )
        for d in DATASETS
    ]
    report = report_on([*records, *coded, *adapted], excluded_families=["family 0"])
    assert report.claims[0].n_families == len(SIZES) - 1
    assert report.claims[0].n_compressors == sum(SIZES[1:])


def test_scores_without_duplicates_stand_where_a_data_set_has_them():
    scores = [*rates(2.0), score("heldout_bpb_dedup", 3.0, realised="decoded")]
    coded = record("a", "f", "set0", "rates", scores)
    metric = record("a", "f", "set0", "class_adapt", [score("balanced_accuracy", 0.5)])
    found = claim_block([coded, metric], registration(datasets=["set0"]), G)
    assert found.block.rate.tolist() == [[-3.0]]


def test_other_rates_fall_back_on_all_samples_where_one_has_no_code_without_duplicates():
    records = []
    for name, how in (("a", "decoded"), ("b", "likelihood")):
        coded = [
            *rates(2.0),
            score("heldout_bpb_dedup", 3.0, realised="decoded"),
            score("isolated_bpb_dedup", 4.0, realised=how),
        ]
        records.append(record(name, "f", "set0", "rates", coded))
        adapted = [score("balanced_accuracy", 0.5)]
        records.append(record(name, "f", "set0", "class_adapt", adapted))
    one = registration(datasets=["set0"])
    assert claim_block(records, one, G).block.rate.tolist() == [[-3.0], [-3.0]]
    isolated = claim_block(records, one, G, rate="isolated_bpb")
    assert isolated.block.rate.tolist() == [[-2.0], [-2.0]]


def test_a_later_version_of_a_task_stands_before_an_earlier():
    coded = [record("a", "f", "set0", "rates", rates(v), version=v) for v in (2, 1)]
    metric = record("a", "f", "set0", "class_adapt", [score("balanced_accuracy", 0.5)])
    found = claim_block([*coded, metric], registration(datasets=["set0"]), G)
    assert found.block.rate.tolist() == [[-2.0]]
    assert found.ambiguous == 0


def test_a_cell_needs_every_registered_draw_and_averages_them():
    one = registration(datasets=["set0"], draws=2)
    metric = [
        record("a", "f", "set0", "class_adapt", [score("balanced_accuracy", v)], draw=d)
        for d, v in enumerate((0.4, 0.6))
    ]
    coded = [record("a", "f", "set0", "rates", rates(v), draw=v - 2) for v in (2, 3)]
    assert claim_block([coded[0], *metric], one, G) is None
    found = claim_block([*coded, *metric], one, G)
    assert found.block.rate.tolist() == [[-2.5]]
    assert found.block.metric.tolist() == [[pytest.approx(0.5)]]


def test_a_changed_registration_is_exploratory_and_an_unchanged_one_is_not():
    records = records_of(block_of(0.5))
    assert report_on(records).status == "registered"
    changed = Registered(hash=registration(alpha=0.01).hash, n_records_before=0)
    report = report_on(records, changed)
    assert report.status == "exploratory"
    assert "changed after records existed" in hypothesis_document(report, "text")


def test_json_has_the_promised_fields_and_no_nan():
    promised = {
        *("name", "statistic", "ci_low", "ci_high", "p_between", "p_within", "verdict"),
        *("n_compressors", "n_families", "n_datasets", "sentence"),
    }
    for records in (records_of(block_of(0.5)), records_of(block_of(0.5))[:4]):
        text = hypothesis_document(report_on(records), "json")
        claims = json.loads(text, parse_constant=pytest.fail)["claims"]
        assert [claim["name"] for claim in claims] == ["G", "R"]
        assert all(promised <= set(claim) for claim in claims)


def test_causes_is_never_printed_and_only_r_speaks_of_representations():
    effects = (0.99, -0.99, 0.0)
    reports = [report_on(records_of(block_of(effect))) for effect in effects]
    reports.append(report_on(records_of(block_of(0.9, sizes=SIZES[:4]))))
    for report in reports:
        for kind in ("text", "markdown", "json"):
            assert "cause" not in hypothesis_document(report, kind).lower()
        g, r = report.claims
        assert "representation" not in g.sentence
        assert "as a generative classifier" in g.sentence
        assert "representations" in r.sentence


def test_the_hash_stands_in_every_format():
    report = report_on(records_of(block_of(0.5)))
    for kind in ("text", "markdown", "json"):
        assert report.hash[:16] in hypothesis_document(report, kind)


def test_p_of_two_claims_is_doubled_for_the_smaller_and_secondary_claims_are_apart():
    second = Claim(
        name="R", label="R2", task="layer_probe", score=R.score, secondary=True
    )
    report = report_on(records_of(block_of(0.3)), claims=[G, R, second])
    g, r, r2 = report.claims
    smaller = min(g.p_between, r.p_within)
    assert min(g.p_adjusted, r.p_adjusted) == pytest.approx(min(1.0, 2 * smaller))
    assert r2.p_adjusted == r2.p_within == r.p_within


def arrays_with(n=80):
    """Lengths and answers that depend on the compressor, on the same samples."""
    labels = np.arange(n) % 4

    def read(key):
        rng = np.random.default_rng(sum(map(ord, key)))
        credit = np.eye(4)[np.where(rng.random(n) < 0.7, labels, (labels + 1) % 4)]
        sizes = np.full(n, 100)
        lengths = rng.uniform(100, 300, n)
        return {
            "credit": credit,
            "labels": labels,
            "n_bytes": sizes,
            "isolated_bits": lengths,
        }

    return read


def test_replicates_move_cells_as_resampling_their_samples_does():
    found = claim_block(records_of(block_of(0.5)), registration(), G)
    inner = inner_level(found, arrays_with(), G, np.random.default_rng(0))
    assert inner.of_samples
    moved = inner.replicates.metric - found.block.metric
    # The normal approximation of balanced accuracy .7 from 80 samples.
    assert moved.std() == pytest.approx(math.sqrt(0.7 * 0.3 / 80), rel=0.15)
    assert abs(moved.mean()) < 0.01
    assert inner.replicates.rate.mean() == pytest.approx(
        found.block.rate.mean(), rel=0.01
    )


def test_all_compressors_share_the_resampled_samples():
    found = claim_block(records_of(block_of(0.5)), registration(), G)
    same = arrays_with()("one key")
    inner = inner_level(found, lambda _: same, G, np.random.default_rng(0))
    moved = inner.replicates.metric - found.block.metric
    assert np.ptp(moved, axis=1).max() < 1e-12
    assert np.ptp(moved[:, 0, 0]) > 0


def test_without_arrays_draws_alone_are_resampled():
    records = []
    for draw in range(3):
        coded = record("a", "f", "set0", "rates", rates(2.0 + draw), draw=draw)
        adapted = [score("balanced_accuracy", 0.5)]
        metric = record("a", "f", "set0", "class_adapt", adapted, draw=draw)
        records += [coded, metric]
    found = claim_block(records, registration(datasets=["set0"], draws=3), G)
    inner = inner_level(found, no_arrays, G, np.random.default_rng(0))
    assert not inner.of_samples
    drawn = inner.replicates.rate[:, 0, 0]
    assert drawn.shape == (N_REPLICATES,)
    means = {-2.0 - i / 3 for i in range(7)}
    assert {round(v, 9) for v in drawn} <= {round(v, 9) for v in means}
    assert len(set(drawn.round(9))) > 3


def test_arrays_come_from_beside_the_records(tmp_path):
    (tmp_path / "arrays").mkdir()
    np.savez(tmp_path / "arrays" / "k.npz", credit=np.eye(2), features=np.ones(3))
    read = stored_arrays(tmp_path)
    assert set(read("k")) == {"credit"}
    assert read("other") == {}


def test_partials_and_final_checkpoints_use_fits_and_ladders():
    records = records_of(block_of(0.5))
    for i, one in enumerate(records):
        subject = one["job"]["subject"]
        subject["ladder_field"] = "m"
        subject["fields"] = {"m": int(subject["spec"].split("=")[1][:-1])}
        one["cost"]["cpu_seconds"] = 1.0 + i
    fits = [
        {
            **r,
            "key": r["key"] + "fit",
            "job": {**r["job"], "task": "fit"},
            "scores": [],
        }
        for r in records
        if r["job"]["task"] == "rates"
    ]
    claim = report_on([*records, *fits]).claims[0]
    assert claim.partials["given log compute"] is not None
    last = [3 - 1, 6 - 1, 9 - 1, 11 - 1, 15 - 1, 18 - 1, 20 - 1, 24 - 1]
    block = block_of(0.5)
    by_scipy = [
        scipy_stats.spearmanr(block.rate[last, d], block.metric[last, d]).statistic
        for d in range(6)
    ]
    assert claim.partials["final checkpoints only"] == pytest.approx(np.mean(by_scipy))


def test_the_detectable_effect_is_known_before_a_run():
    families = {
        f"c{f}({m})": f"family {f}" for f, n in enumerate(SIZES) for m in range(n)
    }
    found = detectable_effects(registration(), families)
    assert set(found) == {"G", "R"}
    after = report_on(records_of(block_of(0.5))).claims
    assert [claim.detectable for claim in after] == [found["G"], found["R"]]


def test_figures_are_legal_vega_lite_with_every_compressor_on_every_data_set():
    records = records_of(block_of(0.5))
    claim = report_on(records).claims[0]
    schema = alt.load_schema()
    charts = [scatter_by_dataset(claim, records), forest_of_slopes(claim)]
    for chart in charts:
        spec = chart.to_dict(validate=False)
        jsonschema.Draft7Validator(schema).validate(spec)
    sets = charts[0].to_dict()["datasets"].values()
    assert sum(len(rows) for rows in sets) == sum(SIZES) * len(DATASETS)


def test_a_claim_without_a_block_says_so_and_has_no_figures():
    report = report_on(records_of(block_of(0.5)), claims=[Claim(name="G", task="none")])
    (claim,) = report.claims
    assert claim.verdict == "undecided by design"
    assert "fewer than 3 compressors" in hypothesis_document(report, "text")
    assert scatter_by_dataset(claim, []) is None
    assert forest_of_slopes(claim) is None


def intervened(lift):
    """Networks with more steps, or more data, or other targets; the last is lifted."""
    draw, records = np.random.default_rng(3), []
    names = {k: [f"net({k}={i})" for i in range(4)] for k in ("steps", "data", "q")}
    for kind, specs in names.items():
        for spec in specs:
            for dataset in DATASETS[:3]:
                bits = draw.uniform(1, 4)
                value = 0.9 - 0.1 * bits + (lift if kind == "q" else 0.0)
                records.append(record(spec, "net", dataset, "rates", rates(bits)))
                probed = [score("balanced_accuracy_middle_pca64", value)]
                records.append(record(spec, "net", dataset, "layer_probe", probed))
    return records, names


@pytest.mark.parametrize(
    ("lift", "words"),
    [
        (0.0, "Bits suffice to predict accuracy under these interventions"),
        (-0.3, "Bits do not suffice to predict accuracy under these interventions"),
    ],
)
def test_interventions_are_told_in_the_allowed_words_with_a_figure(lift, words):
    records, names = intervened(lift)
    report = report_on(records, interventions=names, datasets=DATASETS[:3])
    for kind in ("text", "markdown", "json"):
        assert words in hypothesis_document(report, kind)
    assert report.curve.points.bits.shape == (36,)
    spec = accuracy_against_bits(report.curve).to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)


def test_interventions_without_records_are_undecided():
    names = {"steps": ["net(steps=1)"], "data": ["net(data=1)"]}
    report = report_on(records_of(block_of(0.5)), interventions=names)
    assert report.curve.word == "undecided"
    assert accuracy_against_bits(report.curve) is None
