"""A synthetic export as a file: rows in their order, whatever its size, in bounded memory."""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from polyframe.core.arrays import Ints
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.local_paths import local_path, type_name
from polyframe.synthetic.csv_rows import COLUMNS, SubjectRows, encode_rows, image_name
from polyframe.synthetic.drawing import draw_subject
from polyframe.synthetic.ground_truth import make_scene
from polyframe.synthetic.random_numbers import INTERLEAVING, stream, whole
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.volunteer_pool import Volunteers, make_volunteers

#: About how much text is held to put rows in the order of time.
_BLOCK_BYTES: Final = 48_000_000

_PROJECT: Final = 1234
_SUBJECT_SET: Final = 98765


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Attributes
    ----------
    path : Path
        The export.
    subjects, rows, marks : int
        How many it holds. Accidental clicks count as marks.
    bytes : int
        Its size before any compression.
    """

    path: Path
    subjects: int
    rows: int
    marks: int
    bytes: int


def write_export(
    path: str | os.PathLike[str],
    options: SynthOptions | None = None,
    *,
    subjects_csv: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExportSummary:
    """Write a synthetic classification export in the form of Panoptes.

    Same options, same bytes, on any machine; compressed, the bytes depend on the version of zlib as well.
    Memory does not grow with the number of subjects. A file of that name is replaced, and only once all is
    written.

    With `order="time"` rows come in the order of their ids, which is that of time but for some seconds:
    subjects are interleaved within blocks of up to 1,024 (about 48 MB of text at most), as where a project is
    fed one subject set after the other. With `order="subject"` the same rows come subject after subject.

    Parameters
    ----------
    path : path
        The file to write; gzip where it ends in `.gz`.
    options : SynthOptions, optional
        What to write; default: a small export with something of everything.
    subjects_csv : path, optional
        Also write the subjects, in the form of a Panoptes subject export.
    progress : callable, optional
        Called with the number of subjects done since the last call.

    Returns
    -------
    ExportSummary

    Raises
    ------
    PolyframeError
        Where a file cannot be written.
    """
    options = SynthOptions() if options is None else options
    if not isinstance(options, SynthOptions):
        raise UsageError(f"options: expected SynthOptions, got {type_name(options)}")
    path = local_path(path, "path")
    size = rows = marks = 0
    with replacing(path) as file:
        size += file.write((",".join(COLUMNS) + "\n").encode())
        for block in _blocks(options):
            lines: list[tuple[int, bytes]] = []
            for subject in block:
                rows += len(subject.line)
                marks += subject.n_marks
                if options.order == "time":
                    lines.extend(zip(subject.slot, subject.line, strict=True))
                else:
                    size += file.write(b"".join(subject.line))
                if progress:
                    progress(1)
            lines.sort()
            for _, line in lines:
                size += file.write(line)
    if subjects_csv is not None:
        _write_subjects(local_path(subjects_csv, "subjects_csv"), options)
    return ExportSummary(path, options.subjects, rows, marks, size)


def subjects_per_block(options: SynthOptions) -> int:
    """Return how many subjects are interleaved: a power of two up to 1,024 that keeps memory bounded."""
    per_row = 2_000 + options.vertices * 13 * (1 + options.objects) // 2 * options.frames
    size = 1
    while size < 1024 and 2 * size * options.volunteers * per_row <= _BLOCK_BYTES:
        size *= 2
    return size


def _blocks(options: SynthOptions) -> Iterator[Iterator[SubjectRows]]:
    volunteers = make_volunteers(options)
    size = subjects_per_block(options)
    for first in range(0, options.subjects, size):
        yield _block(options, volunteers, first, size)


def _block(options: SynthOptions, volunteers: Volunteers, first: int, size: int) -> Iterator[SubjectRows]:
    slots = _slots(options, first // size, size)
    for number in range(first, min(first + size, options.subjects)):
        scene = make_scene(options, number)
        drawings = draw_subject(options, scene, volunteers, number)
        slot = slots[drawings.turn, number - first]
        yield encode_rows(options, scene, volunteers, drawings, options.first_subject + number, slot)


def _slots(options: SynthOptions, block: int, size: int) -> Ints:
    """Return the place in time of each round (row) of each subject (column) of a block.

    In every round the subjects come in another order: an odd step through a power of two meets each once.
    Nothing here depends on how many subjects there are, so that ids and times never do.
    """
    rounds = 2 * options.volunteers
    bits = stream(options.seed, INTERLEAVING, block)
    step, shift = 2 * whole(bits, size, rounds, 1) + 1, whole(bits, size, rounds, 1)
    place = (np.arange(size) * step + shift) & (size - 1)
    return (block * rounds + np.arange(rounds)[:, None]) * size + place


def _write_subjects(path: Path, options: SynthOptions) -> None:
    columns = (
        *("subject_id", "project_id", "workflow_id", "subject_set_id", "metadata", "locations"),
        *("classifications_count", "retired_at", "retirement_reason", "created_at", "updated_at"),
    )
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    with replacing(path) as file:
        table.writerow(columns)
        for number in range(options.subjects):
            subject_id = options.first_subject + number
            scene = make_scene(options, number)
            names = [image_name(subject_id, frame) for frame in range(scene.n_frames)]
            metadata = {f"image_{i + 1}": name for i, name in enumerate(names)} | {"origin": "synthetic"}
            locations = {str(i): f"images/{name}" for i, name in enumerate(names)}
            made = "2025-01-06 08:00:00 UTC"
            ids = (subject_id, _PROJECT, options.workflow_id, _SUBJECT_SET)
            cells = (json.dumps(cell, separators=(",", ":")) for cell in (metadata, locations))
            table.writerow((*ids, *cells, options.volunteers, "", "", made, made))
            file.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
        file.write(text.getvalue().encode())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a file that takes the place of `path` at the end, or leaves no trace after an error."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise PolyframeError(f"{path}: is a directory; name a file to write")
        if path.exists() and not path.is_file():
            raise PolyframeError(f"{path}: is a device or a pipe, which a file cannot replace; name a file")
        draft.unlink(missing_ok=True)
        with draft.open("xb", buffering=1 << 20) as file:
            if path.suffix == ".gz":
                # No name and no time in the header, so that the same rows give the same bytes.
                with gzip.GzipFile("", "wb", compresslevel=3, fileobj=file, mtime=0) as compressed:
                    yield compressed
            else:
                yield file
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise cannot_write(path, error) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def cannot_write(path: Path, error: OSError) -> PolyframeError:
    """Return the error to raise for what cannot be written."""
    # Late, since it brings Polars, which nothing here needs.
    from polyframe.core import atomic_files

    return PolyframeError(atomic_files.cannot_write(path, error))
