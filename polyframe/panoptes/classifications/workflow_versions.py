"""Compare workflow versions: 13.2 comes before 13.16.

Versions stay strings: as a float, `13.10` would become 13.1, which is another version.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyframe.core.errors import UsageError, short_repr

_VERSION: Final = re.compile(r"\s*([0-9]{1,9})(?:\.([0-9]{1,9}))?\s*")
_ALL_MINORS: Final = 10**9
#: Selects the newest version of an export, whatever earlier runs used.
NEWEST: Final = "newest"
_FORMS: Final = (
    "`13.19` (exactly this version), `13` (all 13.x) "
    "or a range `4..13.19`, `4..`, `..13` (both ends included); `newest` is the newest in the export"
)


@dataclass(frozen=True)
class VersionSpec:
    """A range of workflow versions, both ends included.

    Attributes
    ----------
    text : str
        The canonical form.
    lowest, highest : tuple of (int, int)
        Major and minor version.
    """

    text: str
    lowest: tuple[int, int]
    highest: tuple[int, int]


def is_version(text: object) -> bool:
    """Return whether a value is a workflow version, `13` or `13.19`, optionally with spaces around it."""
    return isinstance(text, str) and _VERSION.fullmatch(text) is not None


def version_key(text: str) -> tuple[int, int]:
    """Return the sort key of a version: major and minor version as integers; `13` counts as 13.0.

    Raises
    ------
    ValueError
        If it is not a version; check with `is_version` first.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a workflow version")
    return int(match[1]), int(match[2] or 0)


def parse_version_spec(spec: str) -> VersionSpec:
    """Parse a version specification such as `13.19`, `13` or `4..13.19`.

    A version without a minor part, or with minor part 0, means all its minor versions: from the first one as
    the lower end of a range, up to the last one as the upper end.

    Raises
    ------
    UsageError
        If it has none of these forms, or the lower end is above the upper end.
    """
    low, dots, high = spec.partition("..") if isinstance(spec, str) else ("", "", "")
    ends = [end for end in (low, high) if end.strip()]
    if not ends or not all(map(is_version, ends)):
        raise UsageError(f"workflow_version: {spec!r} is not one of {_FORMS}")
    if not dots:
        text = _canonical(low)
        return VersionSpec(text, version_key(low), _with_all_minors(low))
    lowest = version_key(low) if low.strip() else (0, 0)
    highest = _with_all_minors(high) if high.strip() else (_ALL_MINORS, _ALL_MINORS)
    if lowest > highest:
        raise UsageError(f"workflow_version: {spec!r} is an empty range; write the lower version first")
    return VersionSpec(
        "..".join(_canonical(end) if end.strip() else "" for end in (low, high)), lowest, highest
    )


def version_spec_from_config(value: Any) -> str:
    """Return the canonical form of `workflow_version` in a configuration.

    Parameters
    ----------
    value : str, int or mapping
        A string as for `parse_version_spec`, `newest`, an integer (a major version), or a mapping with `min`,
        `max` or both. Floats are rejected, since 13.10 and 13.1 are the same float but two versions.

    Raises
    ------
    UsageError
        If the value is none of these.
    """
    if isinstance(value, Mapping):
        ends = {key: end for key, end in value.items() if end is not None}
        if not ends or not ends.keys() <= {"min", "max"}:
            raise UsageError(
                f"workflow_version: {short_repr(dict(value))} is not a mapping with `min`, `max` or both"
            )
        texts = {key: _version_text(end) for key, end in ends.items()}
        for key, text in texts.items():
            if not is_version(text):
                raise UsageError(f"workflow_version.{key}: {text!r} is not a version such as `13` or `13.19`")
        return parse_version_spec(f"{texts.get('min', '')}..{texts.get('max', '')}").text
    text = _version_text(value)
    return NEWEST if text.strip().lower() == NEWEST else parse_version_spec(text).text


def selects(spec: str, versions: Sequence[str]) -> list[bool]:
    """Return which versions a specification selects.

    Parameters
    ----------
    spec : str
        As for `parse_version_spec`.
    versions : sequence of str
        The distinct versions of an export.

    Returns
    -------
    list of bool
        One for each string; False if it is not a version.

    Raises
    ------
    UsageError
        If the specification is not valid.
    """
    selected = parse_version_spec(spec)
    return [
        is_version(version) and selected.lowest <= version_key(version) <= selected.highest
        for version in versions
    ]


def _version_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    hint = "; write it in quotes, since 13.10 as a number is 13.1" if isinstance(value, float) else ""
    raise UsageError(f"workflow_version: {short_repr(value)} is not one of {_FORMS}{hint}")


def _canonical(version: str) -> str:
    major, minor = version_key(version)
    return f"{major}.{minor}" if minor else str(major)


def _with_all_minors(version: str) -> tuple[int, int]:
    major, minor = version_key(version)
    return major, minor or _ALL_MINORS
