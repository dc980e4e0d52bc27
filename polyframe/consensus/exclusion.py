"""Exclude classifications from a reduction: those of chosen volunteers, and gold standards.

Settings are recorded in every footer and in the manifest, so they contain a digest of each name instead of
the name. It is computed from the name as it is in the tables: with `volunteers: hash`, from its hash. So
later stages recognize the volunteers in the tables without the names.
"""

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import polars as pl

from polyframe.consensus.anonymize import environment_key, hashed_name
from polyframe.core.arrays import Flags
from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings

#: Columns of a classification by which it is excluded.
EXCLUSION_COLUMNS: Final = ("volunteer", "user_name", "gold_standard")

_PREFIX: Final = "hmac-sha256:"
_DIGEST: Final = re.compile(_PREFIX + "[0-9a-f]{32}")
_HASH: Final = re.compile("[0-9a-f]{32}")
#: Distinguishes these digests from other ones; it is not a secret.
_PURPOSE: Final = b"polyframe excluded volunteers"


def is_digest(name: object) -> bool:
    """Return whether an item of the setting `exclude_volunteers` is a digest instead of a name."""
    return isinstance(name, str) and _DIGEST.fullmatch(name) is not None


def with_digests(settings: Settings, names: Mapping[str, set[str]]) -> Settings:
    """Return settings with digests instead of the names of excluded volunteers.

    Parameters
    ----------
    settings : Settings
    names : mapping
        From `digests_by_name`, for these settings.
    """
    digests = {name for name in settings.exclude_volunteers if is_digest(name)}.union(*names.values())
    return settings.replace({"exclude_volunteers": tuple(sorted(digests))})


def digests_by_name(settings: Settings, *, in_memory: bool = False) -> dict[str, set[str]]:
    """Return the digests of each excluded volunteer that the settings name.

    Parameters
    ----------
    settings : Settings
        `exclude_volunteers` and `volunteers`.
    in_memory : bool
        True for marks in memory, which do not say whether their volunteers are hashed: they may be, if the
        environment has a secret.

    Returns
    -------
    dict of str to set of str
        Without digests among the settings, whose names are not known.

    Raises
    ------
    UsageError
        If the names must be hashed, and the environment has no secret.
    """
    names = [name for name in settings.exclude_volunteers if not is_digest(name)]
    if in_memory:
        key = environment_key()
        published = {name: {name, *_hashed(name, key)} for name in names}
    elif settings.volunteers == "hash":
        key = environment_key()
        if not key and needs_secret(settings):
            raise UsageError(
                "exclude_volunteers: to exclude hashed volunteers by their names, set the secret in the "
                f"environment variable {KEY_VARIABLE}; or give the hashes in the table volunteers"
            )
        published = {name: {name} if is_hash(name) else _hashed(name, key) for name in names}
    else:
        published = {name: {name} for name in names}
    return {name: set(map(_digest, values)) for name, values in published.items()}


def needs_secret(settings: Settings) -> bool:
    """Return whether names of excluded volunteers must be hashed: some are not hashes already."""
    names = [name for name in settings.exclude_volunteers if not is_digest(name)]
    return settings.volunteers == "hash" and not all(map(is_hash, names))


def is_hash(name: str) -> bool:
    """Return whether a name of a volunteer has the form of the hashes in tables."""
    return _HASH.fullmatch(name) is not None


def _hashed(name: str, key: bytes) -> set[str]:
    hashed = hashed_name(name, key) if key else None
    return {hashed} if hashed else set()


def _digest(published: str) -> str:
    return _PREFIX + hmac.new(_PURPOSE, published.encode(), hashlib.sha256).hexdigest()[:32]


def is_excluded(classifications: pl.DataFrame, settings: Settings, key: bytes = b"") -> Flags:
    """Return which classifications do not take part in a reduction.

    Parameters
    ----------
    classifications : polars.DataFrame
        With `EXCLUSION_COLUMNS`.
    settings : Settings
        `gold_standard`, and `exclude_volunteers` with digests instead of names.
    key : bytes
        If names are not hashed yet, but will be in the tables: the secret.

    Returns
    -------
    (n,) bool
        False for unknown volunteers, and if it is not known whether it is a gold standard.
    """
    excluded = np.zeros(classifications.height, np.bool_)
    if settings.gold_standard == "exclude":
        excluded |= classifications["gold_standard"].fill_null(value=False).to_numpy()
    if settings.exclude_volunteers:
        names = list(excluded_names(classifications, settings, key))
        for column in ("volunteer", "user_name"):
            excluded |= classifications[column].is_in(names).fill_null(value=False).to_numpy()
    return excluded


def excluded_names(classifications: pl.DataFrame, settings: Settings, key: bytes = b"") -> dict[str, str]:
    """Return the excluded volunteers that occur, and their digests; parameters as for `is_excluded`."""
    if not settings.exclude_volunteers:
        return {}
    digests = set(settings.exclude_volunteers)
    assert all(map(is_digest, digests)), "names must be replaced by digests"
    columns = (classifications[name].drop_nulls().unique() for name in ("volunteer", "user_name"))
    occurring = {name for column in columns for name in column.to_list()}
    published = {name: hashed_name(name, key) if key else name for name in occurring}
    found = {name: _digest(value) for name, value in published.items() if value is not None}
    return {name: digest for name, digest in sorted(found.items()) if digest in digests}


def check_can_exclude(settings: Settings) -> None:
    """Check that volunteers who are to be excluded are known.

    Raises
    ------
    UsageError
        If the setting `volunteers` drops their names.
    """
    if settings.volunteers == "drop" and settings.exclude_volunteers:
        raise UsageError(
            "exclude_volunteers: volunteers is drop, and without names nobody can be excluded; "
            "extract the marks with --volunteers hash"
        )


def forgotten_volunteers_note(settings: Settings) -> str:
    """Return the note on excluded volunteers that an extraction gave other names.

    Parameters
    ----------
    settings : Settings
        Those of the extraction: with `volunteers: drop`, nobody can be excluded.
    """
    next_step = "name them again for the next reduce"
    if settings.volunteers == "drop":
        next_step = "they count in the next reduce, since the tables have no names"
    return f"exclude_volunteers: the excluded volunteers were recorded under other names; {next_step}"


def unknown_names_notes(names: Mapping[str, set[str]], found: Collection[str]) -> tuple[str, ...]:
    """Return a note if names of excluded volunteers do not occur.

    Parameters
    ----------
    names : mapping
        From `digests_by_name`.
    found : collection of str
        The digests that occur.
    """
    unknown = [name for name, digests in names.items() if not digests.intersection(found)]
    if not unknown:
        return ()
    return (f"exclude_volunteers: there is no classification by {', '.join(sorted(unknown))}",)
