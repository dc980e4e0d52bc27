import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polyframe import UsageError
from polyframe.panoptes.classifications.workflow_versions import (
    is_version,
    parse_version_spec,
    selects,
    version_key,
    version_spec_from_config,
)

unhurried = hypothesis_settings(deadline=None)

VERSIONS = ["4.4", "4.19", "12.99", "13.1", "13.2", "13.10", "13.16", "13.19", "14.1"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("13.19", ["13.19"]),
        ("13.1", ["13.1"]),
        ("13.10", ["13.10"]),
        ("13", ["13.1", "13.2", "13.10", "13.16", "13.19"]),
        ("13.0", ["13.1", "13.2", "13.10", "13.16", "13.19"]),
        ("4..13.2", ["4.4", "4.19", "12.99", "13.1", "13.2"]),
        ("4.19..13", ["4.19", "12.99", "13.1", "13.2", "13.10", "13.16", "13.19"]),
        ("13.16..", ["13.16", "13.19", "14.1"]),
        ("..13.1", ["4.4", "4.19", "12.99", "13.1"]),
        (" 13.2 .. 13.16 ", ["13.2", "13.10", "13.16"]),
        ("15", []),
    ],
)
def test_a_specification_selects_versions(spec, expected):
    assert [v for v, wanted in zip(VERSIONS, selects(spec, VERSIONS), strict=True) if wanted] == expected


def test_a_bare_major_among_the_versions_belongs_to_its_major_version():
    assert selects("13", ["13", " 13.4 ", "130.1"]) == [True, True, False]


def test_text_that_is_not_a_version_is_never_selected():
    assert selects("0..", ["", "newest", "1.2.3", "-1", "1.", "٣", "1.2"]) == [False] * 6 + [True]


def test_versions_sort_as_versions():
    assert sorted(["13.16", "13.2", "4.4", "13"], key=version_key) == ["4.4", "13", "13.2", "13.16"]


@unhurried
@given(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_the_key_of_a_version_is_its_two_numbers(major, minor):
    assert is_version(f"{major}.{minor}")
    assert version_key(f"{major}.{minor}") == (major, minor)


@pytest.mark.slow
@unhurried
@given(st.text())
def test_version_key_accepts_what_is_version_accepts(text):
    if is_version(text):
        version_key(text)
    else:
        with pytest.raises(ValueError, match="not a workflow version"):
            version_key(text)


@pytest.mark.parametrize("spec", ["", "..", "1.2.3", "13.x", "4...13", "4..5..6", "-1", "1,2", "1" * 5000])
def test_the_error_for_a_malformed_specification_lists_the_valid_forms(spec):
    with pytest.raises(UsageError) as caught:
        parse_version_spec(spec)
    assert repr(spec) in str(caught.value)
    assert all(form in str(caught.value) for form in ("`13.19`", "`13`", "`4..13.19`"))
    assert "\n" not in str(caught.value)


def test_an_empty_range_is_an_error():
    with pytest.raises(UsageError, match=r"13\.19\.\.4.*lower version first"):
        parse_version_spec("13.19..4")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("13.19", "13.19"),
        (" 13.10 ", "13.10"),
        (13, "13"),
        ("13.0", "13"),
        ({"min": "4", "max": "13.19"}, "4..13.19"),
        ({"min": 4}, "4.."),
        ({"max": "13.0"}, "..13"),
        ({"min": None, "max": "13"}, "..13"),
        ("4 .. 13.19", "4..13.19"),
        (" Newest ", "newest"),
    ],
)
def test_versions_of_a_configuration_become_canonical(value, expected):
    assert version_spec_from_config(value) == expected
    assert version_spec_from_config(expected) == expected


@pytest.mark.parametrize(
    "value", [13.1, True, None, [], {}, {"min": "x"}, {"minimum": "4"}, {"min": "4..5"}, {"min": 13.1}]
)
def test_other_values_in_a_configuration_are_errors(value):
    with pytest.raises(UsageError, match="workflow_version"):
        version_spec_from_config(value)
