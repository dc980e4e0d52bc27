"""Environment variables: one for each setting with a flag, and notes about those that are misspelt."""

import dataclasses
import re

import pytest
from exports import ROOT
from project_files import project_files

from polyframe.core.environment import environment_notes, set_variables, setting_variables
from polyframe.core.settings import Settings


def test_every_setting_with_a_flag_has_a_variable() -> None:
    flags = {f.metadata["flag"]: f.name for f in dataclasses.fields(Settings) if f.metadata["flag"]}
    by_hand = {"--eps": "POLYFRAME_EPS", "--min-samples": "POLYFRAME_MIN_SAMPLES"}
    by_hand |= {"--average": "POLYFRAME_AVERAGE"}
    variables = setting_variables()
    assert len(variables) == len(flags)
    for flag, name in by_hand.items():
        assert variables[name].metadata["flag"] == flag


def test_set_variables() -> None:
    environment = {"POLYFRAME_MAX_LEVELS": "9", "POLYFRAME_EPS": "0.4", "POLYFRAME_JOBS": "", "EPS": "1"}
    assert set_variables(environment) == ["POLYFRAME_EPS", "POLYFRAME_MAX_LEVELS"]


def test_a_note_shows_what_is_used_but_not_the_names_of_volunteers() -> None:
    environment = {"POLYFRAME_TASK": "T0, T1", "POLYFRAME_EXCLUDE_VOLUNTEERS": "jane", "POLYFRAME_EPS": "1"}
    (note,) = environment_notes(["POLYFRAME_TASK", "POLYFRAME_EXCLUDE_VOLUNTEERS"], environment)
    assert note == "from the environment: POLYFRAME_TASK='T0, T1', POLYFRAME_EXCLUDE_VOLUNTEERS"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("POLYFRAME_EPSS", "; did you mean 'POLYFRAME_EPS'?"),
        ("POLYFRAME_MIN_SAMPLE", "; did you mean 'POLYFRAME_MIN_SAMPLES'?"),
        ("POLYFRAME_AVERAGE_TYPE", "; did you mean 'POLYFRAME_AVERAGE'?"),
        ("POLYFRAME_VOLUNTEER_KEY", "; did you mean 'POLYFRAME_VOLUNTEERS_KEY'?"),
        ("POLYFRAME_LOGFORMAT", "; did you mean 'POLYFRAME_LOG_FORMAT'?"),
    ],
)
def test_misspelt_variables(name: str, nearest: str) -> None:
    expected = f"the environment variable {name} has no effect{nearest}"
    assert environment_notes([], {name: "secret"}) == [expected]


@pytest.mark.parametrize(
    "name",
    [
        "POLYFRAME_SERVICE_HOST",
        "POLYFRAME_PORT",
        "POLYFRAME_PORT_8786_TCP_ADDR",
        "POLYFRAME_SCHEDULER_SERVICE_PORT_TCP_COMM",
        "MY_POLYFRAME_EPSS",
        "_POLYFRAME_COMPLETE",
    ],
)
def test_variables_of_other_programs(name: str) -> None:
    assert environment_notes([], {name: "1"}) == []


def test_variables_in_the_project_are_known() -> None:
    """Those of the tests too, so that no test gets a note because of another."""
    texts = [
        (ROOT / path).read_text(encoding="utf-8")
        for path in project_files()
        if path.suffix in (".py", ".md", ".yml") and path.name != "test_environment.py"
    ]
    names = set(re.findall(r"(?<![A-Z_])POLYFRAME_[A-Z0-9_]*[A-Z0-9]\b", "\n".join(texts)))
    assert "POLYFRAME_REQUIRE_ALL" in names
    assert environment_notes([], dict.fromkeys(names, "1")) == []
