"""Check the settings: their ranges, their names, and that each is declared once."""

import dataclasses
import typing
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.drawing_tasks import DrawingTask, split_tool
from polyframe.core.errors import UsageError
from polyframe.core.setting_keywords import CallKeywords, ContoursKeywords, ExtractKeywords, ReduceKeywords
from polyframe.core.settings import Settings
from polyframe.core.suggestions import nearest

FIELDS = {f.name: f for f in dataclasses.fields(Settings)}
#: Settings that callers may also pass in another form, and that form.
OTHER_FORMS: dict[str, object] = {"bezier_tool": int | str, "max_shrink": float | str}


def keyword_type(name: str) -> object:
    """Return the type of the keyword argument of a setting; instead of a tuple it accepts any iterable."""
    declared = typing.get_type_hints(Settings)[name]
    if typing.get_origin(declared) is tuple:
        item = OTHER_FORMS.get(name, typing.get_args(declared)[0])
        return item | Iterable[item] | None  # type: ignore[operator, valid-type]
    return OTHER_FORMS.get(name, declared) | None  # type: ignore[operator]


def keywords_of(*stages: str) -> dict[str, object]:
    """Return the type of the keyword argument of each setting that affects some stages."""
    names = [name for name, f in FIELDS.items() if f.metadata["affects"] in stages]
    types = {name: keyword_type(name) for name in names}
    seconds = {FIELDS[name].metadata["keyword"]: types[name] for name in names}
    return types | {name: kind for name, kind in seconds.items() if name}


def test_type_checkers_see_every_setting_with_its_type() -> None:
    in_memory, reducing = ("extract", "run"), ("reduce", "carried")
    others = typing.get_type_hints(CallKeywords)
    assert typing.get_type_hints(ExtractKeywords) == others | keywords_of(*in_memory)
    assert typing.get_type_hints(ReduceKeywords) == others | keywords_of(*in_memory, *reducing)
    assert typing.get_type_hints(ContoursKeywords) == others | keywords_of(*in_memory, *reducing, "contours")
    assert set(FIELDS) | {"average"} == set(typing.get_type_hints(ContoursKeywords)) - set(others)


def test_defaults_are_valid_and_help_texts_state_the_range() -> None:
    for name, f in FIELDS.items():
        rule = f.metadata["rule"]
        assert rule.accepts(f.default), name
        assert rule.interval.format(name) in f.metadata["help"], name


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("eps", 0.0, "eps must be > 0 and <= 1 (got 0.0)"),
        ("min_threshold", 2, "min_threshold must be >= 0 and <= 1 (got 2)"),
        ("min_samples", 2.5, "min_samples must be an integer >= 1 (got 2.5)"),
        ("num_grid_points", 1, "num_grid_points must be an integer from 2 to 10000 (got 1)"),
        ("max_levels", 0, "max_levels must be an integer >= 1 (got 0)"),
        ("workflow_id", -1, "workflow_id must be an integer >= 0 (got -1)"),
        ("task_index", "1", "task_index must be an integer (got '1')"),
        ("filter", "none", "filter must be one of first, last, all (got 'none')"),
        ("collab", "yes", "collab must be true or false (got 'yes')"),
        ("step_key", 0, "step_key must be a string (got 0)"),
        ("tool", [-1], "tool must be tool indices, such as 0 (got -1)"),
        ("bezier_tool", "T0", "bezier_tool must be tool indices, such as 1 or T0:1 (got 'T0')"),
        ("max_shrink", "101%", "max_shrink must be a share from 0 to 100%, such as 50% or 0.5 (got 1.01)"),
    ],
)
def test_messages_say_what_is_valid_and_what_was_passed(name: str, value: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        Settings().replace({name: value})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("tool", "parts"), [("1", (None, 1)), (" T0:1 ", ("T0", 1)), ("a:b:2", ("a:b", 2)), (3, (None, 3))]
)
def test_a_tool_may_name_its_task(tool: str, parts: tuple[str | None, int]) -> None:
    assert split_tool(tool) == parts


@pytest.mark.parametrize("tool", ["", ":1", "T0:", "T0: 1", "-1", "1.0", "12345678901", "\u0661"])
def test_other_forms_of_tools_are_refused(tool: str) -> None:
    with pytest.raises(UsageError, match=r"^bezier_tool must be tool indices, such as 1 or T0:1 \(got"):
        split_tool(tool)
    with pytest.raises(UsageError, match=r"^bezier_tool must be"):
        Settings().replace({"bezier_tool": tool})


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
def test_values_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name} must be .* \\(got "):
        Settings().replace({name: value})


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(UsageError, match=r"unknown setting 'min_sample'; did you mean 'min_samples'\?"):
        Settings().replace({"min_sample": 2})
    assert nearest("zzz", ["eps", "jobs"]) == "; known: eps, jobs"


def test_none_keeps_the_value() -> None:
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
    assert list(settings.affecting("contours")) == [
        "contour_method",
        "num_grid_points",
        "smoothing",
        "max_levels",
    ]


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("task", ("T1", "T0"), ["T0", "T1", "T0"]),
        ("tool", (0, 1), [1, 0, 1]),
        ("bezier_tool", ("T0:1", 2), ["2", "T0:01"]),
        ("exclude_volunteers", ("bob", "ann"), ["ann", "bob", "bob"]),
        ("drawing_tasks", [DrawingTask("T0", (1, 0))], [DrawingTask("T0", (0,)), DrawingTask("T0", (1,))]),
    ],
)
def test_order_and_repetition_do_not_change_sets(name: str, one: object, other: object) -> None:
    settings = Settings().replace({name: one})
    assert Settings().replace({name: other}) == settings
    assert len(getattr(settings, name)) in (1, 2)
    assert getattr(settings, name) == Settings(**{name: getattr(settings, name)[::-1]}).__dict__[name]


def test_every_setting_with_several_values_is_a_set() -> None:
    several = {name for name, f in FIELDS.items() if isinstance(f.default, tuple)}
    assert several == {name for name, f in FIELDS.items() if f.metadata["normalize"]}
