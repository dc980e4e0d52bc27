"""Write a synthetic export of any size in bounded memory."""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import numpy as np

from polyframe.core.arrays import Ints
from polyframe.core.atomic_files import atomic_path, cannot_write
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import local_path, type_name
from polyframe.synthetic.csv_rows import COLUMNS, SubjectRows, encode_rows, image_name
from polyframe.synthetic.drawing import draw_subject
from polyframe.synthetic.ground_truth import make_scene
from polyframe.synthetic.random_numbers import INTERLEAVING, integers, stream
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.volunteer_pool import VolunteerPool, make_volunteers

#: Approximate size of the text that is kept in memory to sort rows by time.
_BLOCK_BYTES: Final = 48_000_000

_PROJECT: Final = 1234
_SUBJECT_SET: Final = 98765


@dataclass(frozen=True)
class ExportSummary:
    """What an export contains.

    Attributes
    ----------
    path : Path
    subjects, rows, marks : int
        Their numbers. Accidental clicks count as marks.
    bytes : int
        Uncompressed size.
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
    """Write a synthetic classification export in the format of Panoptes.

    The same options give the same bytes on any machine; if compressed, also with the same version of zlib.
    Memory does not grow with the number of subjects. An existing file is replaced once all is written.

    With `order="time"` rows are sorted by ID, which is by time except for some seconds: subjects are
    interleaved in blocks of up to 1,024 (at most about 48 MB of text), as in a project that adds one subject
    set after another. With `order="subject"` the same rows are sorted by subject.

    Parameters
    ----------
    path : path
        The file to write; gzip if it ends in `.gz`.
    options : SynthOptions, optional
        What to write; by default a small export with a bit of everything.
    subjects_csv : path, optional
        Also write the subject export to this file.
    progress : callable, optional
        Receives the number of subjects written since the last call.

    Raises
    ------
    PolyframeError
        If a file cannot be written.
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
    """Return the number of interleaved subjects: a power of two up to 1,024 that keeps memory bounded."""
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


def _block(options: SynthOptions, volunteers: VolunteerPool, first: int, size: int) -> Iterator[SubjectRows]:
    slots = _slots(options, first // size, size)
    for number in range(first, min(first + size, options.subjects)):
        scene = make_scene(options, number)
        drawings = draw_subject(options, scene, volunteers, number)
        slot = slots[drawings.turn, number - first]
        yield encode_rows(options, scene, volunteers, drawings, options.first_subject + number, slot)


def _slots(options: SynthOptions, block: int, size: int) -> Ints:
    """Return the position in time of each round (row) of each subject (column) of a block.

    Each round has the subjects in a different order: an odd step through a power of two reaches each once.
    Nothing depends on the number of subjects, so IDs and times do not either.
    """
    rounds = 2 * options.volunteers
    bits = stream(options.seed, INTERLEAVING, block)
    step, shift = 2 * integers(bits, size, rounds, 1) + 1, integers(bits, size, rounds, 1)
    place = (np.arange(size) * step + shift) & (size - 1)
    return (block * rounds + np.arange(rounds)[:, None]) * size + place


def _write_subjects(path: Path, options: SynthOptions) -> None:
    columns = (
        *("subject_id", "project_id", "workflow_id", "subject_set_id", "metadata", "locations"),
        *("classifications_count", "retired_at", "retirement_reason", "created_at", "updated_at"),
    )
    created_at = "2025-01-06 08:00:00 UTC"
    with replacing(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        for number in range(options.subjects):
            subject_id = options.first_subject + number
            names = [image_name(subject_id, frame) for frame in range(make_scene(options, number).n_frames)]
            metadata = {f"image_{i + 1}": name for i, name in enumerate(names)} | {"origin": "synthetic"}
            locations = {str(i): f"images/{name}" for i, name in enumerate(names)}
            ids = (subject_id, _PROJECT, options.workflow_id, _SUBJECT_SET)
            cells = (json.dumps(cell, separators=(",", ":")) for cell in (metadata, locations))
            table.writerow((*ids, *cells, options.volunteers, "", "", created_at, created_at))


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` at the end, or leaves no trace after an error; gzip if it ends so."""
    with (
        atomic_path(path, create_folder=False, durable=durable) as temporary,
        temporary.open("wb", buffering=1 << 20) as file,
    ):
        if path.suffix == ".gz":
            # No name and no time in the header, so that the same rows give the same bytes.
            with gzip.GzipFile("", "wb", compresslevel=3, fileobj=file, mtime=0) as compressed:
                yield cast("IO[bytes]", compressed)
        else:
            yield file


def make_directory(path: str | os.PathLike[str]) -> Path:
    """Create a directory if it does not exist; a PolyframeError if it cannot be created."""
    directory = local_path(path, "directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(directory, error) from error
    return directory
