"""Say that an earlier version of an output still contains names which the newest one does not."""

import contextlib
import shlex

from polyframe.core.errors import PolyframeError
from polyframe.core.plurals import agreeing, plural
from polyframe.store.manifest import Manifest
from polyframe.store.output import Output
from polyframe.store.versions import read_manifest, version_numbers


def earlier_names_notes(output: Output, published: Manifest) -> tuple[str, ...]:
    """Return a note if a kept version has the names of volunteers, and the newest one does not.

    Parameters
    ----------
    output : Output
        The output. In a bucket, which may keep very many versions, only the one before is considered.
    published : Manifest
        Its newest version.
    """
    if published.extraction.volunteers == "keep":
        return ()
    earlier = [number for number in version_numbers(output) if number < published.number]
    with_names = [
        number for number in (earlier if output.folder else earlier[-1:]) if _has_names(output, number)
    ]
    if not with_names:
        return ()
    number = len(with_names)
    command = f"polyframe vacuum {shlex.quote(str(output))} --keep 0d"
    # Otherwise its parts stay in a bucket for a week, in case that a run in progress needs them.
    advice = f"`{command}`" if output.folder else f"`{command} --grace 0d` if no run is in progress"
    return (
        f"{plural(number, 'version')} {', '.join(map(str, with_names))} of {output} still "
        f"{agreeing(number, 'contain')} the names of volunteers; remove {'it' if number == 1 else 'them'} "
        f"with {advice}",
    )


def _has_names(output: Output, number: int) -> bool:
    # A version that cannot be read may have been removed at this moment.
    with contextlib.suppress(PolyframeError):
        return read_manifest(output, number).extraction.volunteers == "keep"
    return False
