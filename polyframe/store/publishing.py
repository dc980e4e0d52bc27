"""Publish the parts of a run as the next version of an output."""

import msgspec

from polyframe.core.errors import PolyframeError
from polyframe.store.current_parts import missing_parts
from polyframe.store.manifest import Manifest
from polyframe.store.output import Output, Work
from polyframe.store.stages import IMPORTED, tables_of_stages
from polyframe.store.vacuum import remove_oldest
from polyframe.store.versions import create_version, imported_record
from polyframe.store.view import refresh_view


def publish(work: Work, manifest: Manifest, before: Manifest | None, keep_versions: int) -> Manifest:
    """Make the parts of a run the newest version: readers see all of its tables at once, or none.

    Tables that somebody imported stay as they are, unless the new version has others.

    Parameters
    ----------
    work : Work
        The work directory of the run.
    manifest : Manifest
        The new version, whose parts are in the store.
    before : Manifest or None
        The version on which the run is based.
    keep_versions : int
        How many versions a local output keeps. A bucket keeps all, since other runs may use their parts.

    Returns
    -------
    Manifest
        The new version with its number; `before` if nothing changed.

    Raises
    ------
    PolyframeError
        If a part disappeared, another run published its version first, or something cannot be written.
    """
    output = work.output
    manifest = _with_imported_tables(output, manifest)
    _check_parts(output, manifest)
    published = create_version(output, manifest, before)
    refresh_view(work, published)
    if output.folder is not None:
        remove_oldest(output, keep_versions)
    return published


def _with_imported_tables(output: Output, manifest: Manifest) -> Manifest:
    record = None if IMPORTED in manifest.merged else imported_record(output)
    if record is None:
        return manifest
    return msgspec.structs.replace(manifest, merged={**manifest.merged, IMPORTED: record})


def _check_parts(output: Output, manifest: Manifest) -> None:
    """Check that nobody removed parts since the run decided to reuse them."""
    missing = missing_parts(output, manifest)
    if missing:
        partition, tables = missing
        if tables == tables_of_stages([IMPORTED]):
            raise PolyframeError(
                f"{output}: its table {', '.join(tables)} is missing in the store, and a run cannot rebuild "
                f"it; restore it, or replace it with `polyframe {IMPORTED} {output} FILE --replace`"
            )
        raise PolyframeError(
            f"{output}: parts of partition {partition} ({', '.join(tables)}) disappeared during the run; "
            "run again"
        )
