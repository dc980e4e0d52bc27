"""Record that a run found the newest version up to date, although it had nothing to publish.

Otherwise tables of a project that is quiet for days would look as if nobody updated them.
"""

import contextlib
from datetime import UTC, datetime
from typing import Final

import msgspec

from polyframe.core.errors import PolyframeError
from polyframe.store.manifest import Manifest
from polyframe.store.output import MANIFESTS, Output

_KEY: Final = f"{MANIFESTS}checked.json"


class _Check(msgspec.Struct):
    """The number of a version, and when a run found it up to date (UTC)."""

    number: int
    checked_at: str


def time_text() -> str:
    """Return the present time in UTC as text, such as `2026-11-27T02:30:09Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def record_check(output: Output, manifest: Manifest) -> None:
    """Record that a version is up to date now; of several runs, the last one counts."""
    content = msgspec.json.encode(_Check(manifest.number, time_text()))
    # If it cannot be written, the tables are as good; the time is for monitoring only.
    with contextlib.suppress(OSError, PolyframeError), output.objects.writing(_KEY) as file:
        file.write(content)


def last_check(output: Output, manifest: Manifest) -> str | None:
    """Return when a run last published a version or found it up to date.

    Parameters
    ----------
    output : Output
    manifest : Manifest
        Its newest version.

    Returns
    -------
    str or None
        UTC, such as `2026-11-27T02:30:09Z`; None if an earlier release wrote the tables.
    """
    try:
        check = msgspec.json.decode(output.objects.read(_KEY), type=_Check)
    except (OSError, PolyframeError, msgspec.MsgspecError):
        return manifest.finished_at
    if check.number != manifest.number:
        return manifest.finished_at
    return max(check.checked_at, manifest.finished_at or "")
