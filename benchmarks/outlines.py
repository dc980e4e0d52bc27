"""Write exports of clicked polygons and of large groups, which `polyframe synth` does not generate."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

WORKFLOW_VERSION = "3.7"
#: Vertices that are written at once.
_BLOCK = 500_000
_HARMONICS = 3
_START, _END = '{"frame":0,"toolIndex":0,"toolType":', '],"details":[]}'
_FIRST_SUBJECT, _FIRST_CLASSIFICATION = 50_000_000, 1_000_000_000


@dataclass(frozen=True)
class Drawings:
    """What to draw: rounded objects, outlined by every volunteer of a subject.

    Attributes
    ----------
    subjects, volunteers : int
        Subjects, and volunteers per subject.
    objects : tuple of int
        Objects of the first subject, of the second, and so on, from the start again after the last.
    marks_each : int
        Marks of each object in each classification.
    vertices : (int, int)
        Least and most vertices of a mark.
    is_clicked : bool
        Whether the marks are polygons with few, unevenly spaced corners, stored as points; otherwise freehand
        outlines, stored as paths, with jitter.
    is_identical : bool
        Whether all marks of an object are the same.
    jitter : float
        How far each vertex of a freehand outline is off, as a fraction of the radius.
    seed : int
    """

    subjects: int
    volunteers: int
    objects: tuple[int, ...] = (1,)
    marks_each: int = 1
    vertices: tuple[int, int] = (250, 450)
    is_clicked: bool = False
    is_identical: bool = False
    jitter: float = 0.004
    seed: int = 1

    @property
    def marks(self) -> int:
        """The number of marks."""
        objects = np.resize(self.objects, self.subjects).sum()
        return int(objects) * self.volunteers * self.marks_each


def write_drawings(path: Path, drawings: Drawings, workflow_id: int) -> None:
    """Write the drawings as a classification export; the same drawings give the same bytes."""
    random = np.random.default_rng(drawings.seed)
    with path.open("wb") as file:
        for number, subjects in enumerate(_blocks(drawings)):
            rows = _rows(drawings, subjects, random, workflow_id)
            rows.write_csv(file, include_header=number == 0)


def _blocks(drawings: Drawings) -> Iterator[range]:
    per_subject = drawings.volunteers * max(drawings.objects) * drawings.marks_each * drawings.vertices[1]
    size = max(1, _BLOCK // per_subject)
    for first in range(0, drawings.subjects, size):
        yield range(first, min(first + size, drawings.subjects))


def _rows(drawings: Drawings, subjects: range, random: np.random.Generator, workflow_id: int) -> pl.DataFrame:
    """Return the rows of some subjects, each volunteer of each once."""
    objects = np.resize(drawings.objects, subjects.stop)[subjects.start :]
    per_row = np.repeat(objects * drawings.marks_each, drawings.volunteers)
    first_object = np.cumsum(objects) - objects
    row_of_mark = np.repeat(np.arange(len(per_row)), per_row)
    place = np.arange(len(row_of_mark)) - np.repeat(np.cumsum(per_row) - per_row, per_row)
    object_of_mark = first_object[row_of_mark // drawings.volunteers] + place // drawings.marks_each
    texts = _mark_texts(drawings, object_of_mark, int(objects.sum()), random)
    values = (
        pl.DataFrame({"row": row_of_mark, "text": texts})
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(","))["text"]
    )
    number = subjects.start * drawings.volunteers + np.arange(len(per_row))
    volunteer, subject = number % drawings.volunteers, number // drawings.volunteers
    annotations = _text('[{"task":"T0","taskType":"drawing","value":[', "value", "]}]")
    minute = pl.lit("2025-03-01").str.to_datetime("%Y-%m-%d") + pl.duration(seconds=pl.col("number") * 7)
    return pl.DataFrame(
        {
            "number": number,
            "volunteer": (volunteer + subject) % (2 * drawings.volunteers),
            "subject": _FIRST_SUBJECT + subject,
            "value": values,
        }
    ).select(
        classification_id=_FIRST_CLASSIFICATION + pl.col("number"),
        user_name=pl.format("volunteer-{}", "volunteer"),
        user_id=pl.col("volunteer") + 1,
        user_ip=pl.lit("ab12"),
        workflow_id=pl.lit(workflow_id),
        workflow_name=pl.lit("Outlines"),
        workflow_version=pl.lit(WORKFLOW_VERSION),
        created_at=minute.dt.strftime("%Y-%m-%d %H:%M:%S UTC"),
        gold_standard=pl.lit(""),
        expert=pl.lit(""),
        metadata=pl.lit('{"classifier_version":"2.0"}'),
        annotations=annotations,
        subject_data=_text('{"', "subject", '":{}}'),
        subject_ids=pl.col("subject"),
    )


def _mark_texts(
    drawings: Drawings, object_of_mark: np.ndarray, objects: int, random: np.random.Generator
) -> pl.Series:
    """Return the JSON of each mark."""
    centre, radius = random.uniform(150, 1000, (2, objects)), random.uniform(40, 110, objects)
    phase = random.uniform(0, 2 * np.pi, (_HARMONICS, objects))
    bend = random.uniform(0.03, 0.12, (_HARMONICS, objects))
    drawn = np.unique(object_of_mark, return_index=True)[1] if drawings.is_identical else slice(None)
    thing = object_of_mark[drawn]

    n = random.integers(*drawings.vertices, len(thing), endpoint=True)
    of_mark = np.repeat(np.arange(len(thing)), n)
    step = np.arange(len(of_mark)) - np.repeat(np.cumsum(n) - n, n)
    uneven = random.uniform(-0.2, 0.2, len(of_mark)) if drawings.is_clicked else 0
    angle = 2 * np.pi * step / n[of_mark] + uneven + random.uniform(0, 2 * np.pi, len(thing))[of_mark]
    reach = np.ones(len(of_mark))
    for k in range(_HARMONICS):
        reach += bend[k, thing][of_mark] * np.cos((k + 2) * angle + phase[k, thing][of_mark])
    size = (radius[thing] * (1 + random.normal(0, 0.04, len(thing))))[of_mark]
    moved = centre[:, thing] + random.normal(0, 0.03, (2, len(thing))) * radius[thing]
    off = 0 if drawings.is_clicked else drawings.jitter * random.normal(0, 1, (2, len(of_mark))) * size
    points = np.stack([np.cos(angle), np.sin(angle)]) * reach * size + moved[:, of_mark] + off

    x, y = (pl.Series(np.round(values, 2)).cast(pl.String) for values in points)
    vertices = pl.DataFrame({"mark": of_mark, "x": x, "y": y})
    grouped = vertices.group_by("mark", maintain_order=True)
    if drawings.is_clicked:
        marks = grouped.agg(points=_text('{"x":', "x", ',"y":', "y", "}").str.join(","))
        text = _text(_START, '"polygon","points":[', "points", _END)
    else:
        marks = grouped.agg(pl.col("x", "y").str.join(","))
        text = _text(_START, '"freehandLine","pathX":[', "x", '],"pathY":[', "y", _END)
    texts = marks.select(text).to_series()
    return texts[np.searchsorted(thing, object_of_mark)] if drawings.is_identical else texts


def _text(*parts: str) -> pl.Expr:
    """Join columns, which have names without punctuation, and constant texts."""
    return pl.concat_str([pl.col(part) if part.isidentifier() else pl.lit(part) for part in parts])
