"""Name the environment variables that polyframe reads, and find those that are misspelt."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from polyframe.core.notes import Information
from polyframe.core.settings import Settings
from polyframe.core.suggestions import did_you_mean

PREFIX: Final = "POLYFRAME_"
#: The secret with which volunteers are hashed. Workers read it from their own environment.
KEY_VARIABLE: Final = f"{PREFIX}VOLUNTEERS_KEY"
#: If it is set, an internal error shows where it happened.
DEBUG_VARIABLE: Final = f"{PREFIX}DEBUG"
#: The forms of log lines and of progress, as `--log-format` and `--progress` have them.
LOG_FORMAT_VARIABLE: Final = f"{PREFIX}LOG_FORMAT"
PROGRESS_VARIABLE: Final = f"{PREFIX}PROGRESS"
#: Where the workers are, as `--cluster` has it.
CLUSTER_VARIABLE: Final = f"{PREFIX}CLUSTER"

_OTHERS: Final = (KEY_VARIABLE, DEBUG_VARIABLE, LOG_FORMAT_VARIABLE, PROGRESS_VARIABLE, CLUSTER_VARIABLE)
#: Variables of the tests, and those that Kubernetes sets for a service whose name begins with `polyframe`.
_OF_OTHERS: Final = re.compile(
    rf"{PREFIX}(REQUIRE_ALL|[A-Z]+_PYTHON|(\w+_)?(SERVICE_(HOST|PORT)\w*|PORT(_\d+_(TCP|UDP)\w*)?))"
)


def variable_of(flag: str) -> str:
    """Return the variable of a flag: `POLYFRAME_MIN_SAMPLES` of `--min-samples`."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def setting_variables() -> dict[str, dataclasses.Field[Any]]:
    """Return the setting of each variable, in the order of the settings; those without a flag have none."""
    return {variable_of(f.metadata["flag"]): f for f in dataclasses.fields(Settings) if f.metadata["flag"]}


def set_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the settings in an environment, in the order of the settings.

    An empty value counts as not set.
    """
    return [name for name in setting_variables() if environment.get(name)]


def environment_notes(used: Collection[str], environment: Mapping[str, str]) -> list[str]:
    """Return notes about the variables of an environment.

    Parameters
    ----------
    used : collection of str
        The variables from which a command takes settings.
    environment : mapping
        All variables.

    Returns
    -------
    list of str
        One that shows the settings, if there are any; one for each variable that has the name of no setting,
        with the nearest name.
    """
    notes: list[str] = [Information(f"from the environment: {shown(used, environment)}")] if used else []
    known = [*setting_variables(), *_OTHERS]
    return notes + [
        f"the environment variable {name} has no effect{did_you_mean(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not _OF_OTHERS.fullmatch(name)
    ]


def shown(names: Iterable[str], environment: Mapping[str, str]) -> str:
    """Return variables with their values, without those of volunteers, which are personal data."""
    import shlex  # late, since `polyframe --help` shows none

    hidden = variable_of("--exclude-volunteers")
    return ", ".join(name if name == hidden else f"{name}={shlex.quote(environment[name])}" for name in names)
