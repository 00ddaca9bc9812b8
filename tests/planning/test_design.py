"""The document of everything that decides a suite's results, and its changes in words."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.registry import Registry, load_registry
from harness.data.shelf import Shelf
from harness.planning import design as design_module
from harness.planning.design import design_changes, design_hash, design_of
from harness.planning.plan import Selection, plan
from harness.planning.suite import Suite

REGISTRY = load_registry()
CLAIM = {"name": "C", "task": "class_scratch"}
SUITE = {
    "name": "s",
    "title": "s",
    "compressors": ["gzip", "zstd(level=9)", "pixel_mlp"],
    "rates_only": ["bz2"],
    "baselines": ["majority"],
    "datasets": [{"name": "digits", "train": 100, "test": 50}, {"name": "iid"}],
    "tasks": [
        {"name": "rates"},
        {"name": "class_scratch", "budget": 50, "skip": ["gzip"]},
    ],
    "hypothesis": {"claims": [CLAIM], "datasets": ["digits"]},
}
CODECS = ["gzip", "pixel_mlp"]
DIGITS = {"name": "digits", "train": 100, "test": 50}


def design(registry=REGISTRY, **changes):
    suite = Suite.model_validate(SUITE | changes).expanded(registry)
    return design_of(suite, plan(suite, registry, Selection()))


BASE = design()


def with_source(name, source_hash):
    entry = replace(REGISTRY.entries[name], source_hash=source_hash)
    return Registry(entries={**REGISTRY.entries, name: entry})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"compressors": [*SUITE["compressors"], "zstd(level=1)"]},
            ["compressors, zstd(level=1): added"],
        ),
        (
            {"compressors": SUITE["compressors"][:2]},
            ["compressors, pixel_mlp: removed", "plugins, pixel_mlp: removed"],
        ),
        (
            {"datasets": [DIGITS | {"train": 200}, {"name": "iid"}]},
            ["data, digits, train: 100 -> 200"],
        ),
        (
            {"datasets": [DIGITS | {"test": None}, {"name": "iid"}]},
            ["data, digits, test: 50 -> none"],
        ),
        (
            {"datasets": [DIGITS, {"name": "iid", "skip": ["zstd"]}]},
            ["compressors, zstd(level=9): + not on iid"],
        ),
        ({"datasets": [DIGITS]}, ["data, iid: removed"]),
        (
            {"tasks": [{"name": "rates"}, SUITE["tasks"][1] | {"budget": 60}]},
            ["tasks, class_scratch, parameters, budget: 50 -> 60"],
        ),
        (
            {"tasks": [{"name": "rates"}, SUITE["tasks"][1] | {"skip": []}]},
            ["compressors, gzip: - no class_scratch"],
        ),
        ({"draws": 3}, ["draws: 1 -> 3"]),
        ({"seed": 4}, ["seed: 0 -> 4"]),
        (
            {"compressors": [f"zstd(level={n})" for n in (1, 2, 4, 5, 8, 9)] + CODECS},
            [
                f"compressors: 5 added: {', '.join(f'zstd(level={n})' for n in (1, 2, 4, 5))}, ..."
            ],
        ),
        ({"baselines": []}, ["baselines: - majority"]),
        (
            {"limits": {"timeout_seconds": 60.0}},
            ["limits, timeout_seconds: 600.0 -> 60.0"],
        ),
        (
            {"hypothesis": SUITE["hypothesis"] | {"alpha": 0.01}},
            ["hypothesis, alpha: 0.05 -> 0.01"],
        ),
        (
            {
                "hypothesis": SUITE["hypothesis"]
                | {"claims": [CLAIM | {"equal_bytes": True}]}
            },
            ["hypothesis, claims, C, equal_bytes: false -> true"],
        ),
        ({"hypothesis": None}, ["hypothesis: a table -> none"]),
    ],
)
def test_a_changed_suite_has_another_hash_and_says_what_changed(change, words):
    changed = design(**change)
    assert design_hash(changed) != design_hash(BASE)
    assert list(design_changes(BASE, changed)) == words


def test_drawn_configurations_stand_in_the_design_with_their_seed():
    row = {"family": "byte_gru", "n": 3, "seed": 1}
    first = design(configurations=[row])
    drawn = set(first["compressors"]) - set(BASE["compressors"])
    assert len(drawn) == 6  # three on each of two data sets
    second = design(configurations=[row | {"seed": 2}])
    changes = design_changes(first, second)
    assert changes[0] == "configurations, byte_gru, seed: 1 -> 2"
    assert changes[1].startswith("compressors: 6 added: byte_gru(")
    assert changes[2].startswith("compressors: 6 removed: byte_gru(")
    assert len(changes) == 3


def test_a_compressor_of_few_data_sets_names_those_and_one_of_most_the_others():
    sets = [{"name": name} for name in ("digits", "iid", "xor3")]
    sets[0]["also"] = ["png"]
    sets[1]["skip"] = ["gzip"]
    compressors = design(datasets=sets)["compressors"]
    assert compressors["png"] == ["on digits"]
    assert compressors["gzip"] == ["no class_scratch", "not on iid"]


def test_a_changed_source_of_a_plugin_is_named_by_both_hashes():
    old, new = REGISTRY.entries["gzip"].source_hash, "f" * 64
    changed = design(with_source("gzip", new))
    assert design_hash(changed) != design_hash(BASE)
    words = f"plugins, gzip, source: {old[:12]} -> {new[:12]}"
    assert design_changes(BASE, changed) == (words,)


def test_another_version_of_a_required_library_is_named(monkeypatch):
    from harness.planning import subject

    monkeypatch.setattr(subject, "versions_of", lambda kind: {"zstandard": kind.name})
    assert "plugins, zstd, versions, zstandard: 0.25.0 -> zstd" in {
        line.replace(BASE["plugins"]["zstd"]["versions"]["zstandard"], "0.25.0")
        for line in design_changes(BASE, design())
    }


def test_other_content_of_a_data_set_is_named(monkeypatch):
    card = Shelf.card

    def corrected(shelf, name):
        return card(shelf, name).model_copy(update={"content_sha256": "e" * 64})

    monkeypatch.setattr(Shelf, "card", corrected)
    old = BASE["data"]["digits"]["content"]
    words = f"data, digits, content: {old[:12]} -> {'e' * 12}"
    assert words in design_changes(BASE, design())


@pytest.mark.parametrize("name", ["ANALYSIS_VERSION", "CONTRACT_VERSION"])
def test_another_version_of_analysis_or_contract_is_named(monkeypatch, name):
    monkeypatch.setattr(design_module, name, 99)
    (line,) = design_changes(BASE, design())
    assert line.startswith(f"versions, {name.split('_')[0].lower()}: ")
    assert line.endswith(" -> 99")


def test_an_unchanged_suite_has_the_same_hash_in_any_order_of_its_rows():
    shuffled = design(
        compressors=SUITE["compressors"][::-1],
        datasets=SUITE["datasets"][::-1],
        tasks=SUITE["tasks"][::-1],
    )
    assert design_changes(BASE, shuffled) == ()
    assert design_hash(shuffled) == design_hash(BASE)


def test_a_document_survives_a_file():
    assert json.loads(json.dumps(BASE)) == BASE


def test_a_plugin_that_cannot_be_loaded_is_missing_and_its_specs_are_listed():
    entry = replace(REGISTRY.entries["gzip"], kind=None, unavailable="no zlib")
    broken = design(Registry(entries={**REGISTRY.entries, "gzip": entry}))
    assert broken["plugins"]["gzip"] == "missing"
    assert "gzip" in broken["compressors"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.dictionaries(st.text(max_size=3), values, max_size=4)


def reordered(value, random):
    """Return the same value with the keys of every table in another order."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: reordered(value[name], random) for name in names}
    if isinstance(value, list):
        return [reordered(each, random) for each in value]
    return value


@given(document=documents, random=st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nothing(document, random):
    other = reordered(document, random)
    assert design_hash(other) == design_hash(document)
    assert design_changes(document, other) == ()


@given(before=documents, after=documents)
def test_documents_have_one_hash_exactly_where_no_change_is_named(before, after):
    is_same = design_hash(before) == design_hash(after)
    assert (design_changes(before, after) == ()) == is_same
