"""Settings: ranges, names, and that each stands in one place."""

import dataclasses
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.errors import UsageError
from polyframe.core.settings import DrawingTask, Options, Settings
from polyframe.core.suggestions import nearest


def test_options_name_every_setting() -> None:
    assert set(typing.get_type_hints(Options)) == {f.name for f in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eps", 0),
        ("eps", 1.01),
        ("eps", -1),
        ("eps", float("nan")),
        ("eps", "0.5"),
        ("eps", True),
        ("min_samples", 0),
        ("min_samples", 2.0),
        ("min_threshold", -0.1),
        ("min_threshold", 1.1),
        ("num_grid_points", 1),
        ("jobs", -1),
        ("max_shrink", 50),
        ("max_shrink", "50"),
        ("max_shrink", "101%"),
        ("max_shrink", "-1%"),
        ("max_shrink", "50%%"),
        ("max_shrink", "half"),
        ("max_shrink", "nan"),
        ("max_shrink", True),
        ("partition_size", 0),
        ("average_type", "mean"),
        ("filter", "none"),
        ("contour_method", "vector"),
        ("smoothing", "strong"),
        ("engine", "numba"),
        ("workflow_id", "7"),
        ("task", [""]),
        ("tool", [-1]),
    ],
)
def test_values_out_of_range_are_named(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}: .*"):
        Settings().replace({name: value})


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown setting 'min_sample'; did you mean 'min_samples'\?"):
        Settings().replace({"min_sample": 2})
    assert nearest("zzz", ["eps", "jobs"]) == "; known: eps, jobs"


def test_none_means_as_it_is() -> None:
    assert Settings(eps=0.3).replace({"eps": None, "jobs": 2}) == Settings(eps=0.3, jobs=2)


def test_a_single_task_or_tool_is_a_list_of_one() -> None:
    assert Settings().replace({"task": "T0", "tool": 1}) == Settings(task=("T0",), tool=(1,))


@given(st.floats(min_value=0, max_value=1, exclude_min=True), st.integers(1, 10**6))
def test_values_in_range_are_kept(eps: float, min_samples: int) -> None:
    settings = Settings(eps=eps, min_samples=min_samples)
    assert (settings.eps, settings.min_samples) == (eps, min_samples)


@pytest.mark.parametrize(
    ("given", "share"), [("50%", 0.5), (" 33.3 % ", 0.333), ("0.5", 0.5), (0, 0), ("100%", 1), (1, 1)]
)
def test_a_share_is_a_fraction_or_a_percentage(given: object, share: float) -> None:
    assert Settings().replace({"max_shrink": given}).max_shrink == share


def test_settings_of_a_stage_are_plain_json_values() -> None:
    settings = Settings(drawing_tasks=(DrawingTask("T0", (0, 1), "bezier"),))
    assert settings.affecting("extract")["drawing_tasks"] == [
        {"task": "T0", "tools": [0, 1], "kind": "bezier"}
    ]
    assert "jobs" not in settings.affecting("extract", "reduce", "contours", "carried")
    assert list(settings.affecting("contours")) == ["contour_method", "num_grid_points", "smoothing"]
