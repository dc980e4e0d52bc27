"""Write the true outlines of a synthetic export as GeoJSON, which `polyframe score --gold` reads."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from polyframe.core.errors import UsageError
from polyframe.core.local_paths import local_path
from polyframe.synthetic.ground_truth import CELL, make_scene, true_outlines
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.synthetic_export import replacing

#: Coordinates are rounded to this many digits: a thousandth of a pixel changes no score visibly.
_DIGITS: Final = 3

_Feature = dict[str, Any]


def write_truth(path: str | os.PathLike[str], options: SynthOptions) -> int:
    """Write the true outlines of all subjects as GeoJSON; return their number.

    The tools are named as in the newer workflow version: `T0_toolIndex0` for cells, `T0_toolIndex1` for
    crystals. Memory does not grow with the number of subjects. An existing file is replaced once all is
    written.

    Parameters
    ----------
    path : path
        The file to write; not compressed.
    options : SynthOptions
        The options of the export.

    Raises
    ------
    UsageError
        If the name ends in `.gz`, since compressed GeoJSON cannot be scored with.
    PolyframeError
        If the file cannot be written.
    """
    file_path = truth_path(path, "path")
    count = 0

    def features() -> Iterator[_Feature]:
        nonlocal count
        for number in range(options.subjects):
            outlines = outline_features(options, options.first_subject + number)
            count += len(outlines)
            yield from outlines
            yield from _empty_frames(options, number)

    with replacing(file_path) as file:
        file.writelines(text.encode() for text in feature_collection(features()))
    return count


def truth_path(value: str | os.PathLike[str], name: str) -> Path:
    """Check a path for true outlines; `name` is the name of the parameter for messages."""
    path = local_path(value, name)
    if path.suffix == ".gz":
        raise UsageError(f"{name}: {path}: `score` reads no compressed GeoJSON; omit .gz")
    return path


def outline_features(
    options: SynthOptions, subject_id: int, *, digits: int = _DIGITS, cell_step: int = 1
) -> list[_Feature]:
    """Return the true outlines of the objects of a subject as features of GeoJSON.

    Parameters
    ----------
    options : SynthOptions
        The options of the export.
    subject_id : int
        ID of a subject in the export.
    digits : int
        Decimal digits of the coordinates, in pixels.
    cell_step : int
        Of cells, every point of this step is used, from 1 for all of them.
    """
    features = []
    for outline in true_outlines(options, subject_id):
        points = np.column_stack([outline.x, outline.y]).round(digits)
        ring = points[:: cell_step if outline.tool == CELL else 1].tolist()
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append(_feature(geometry, subject_id, outline.frame, tool=f"T0_toolIndex{outline.tool}"))
    return features


def feature_collection(features: Iterable[_Feature]) -> Iterator[str]:
    """Yield the text of a GeoJSON file with one feature per line, in pieces."""
    before = '{"type": "FeatureCollection", "features": [\n'
    for feature in features:
        yield before + json.dumps(feature)
        before = ",\n"
    yield "\n]}\n" if before == ",\n" else before + "]}\n"


def _empty_frames(options: SynthOptions, number: int) -> Iterator[_Feature]:
    """Yield a feature without a geometry for each frame without an object: there is nothing to outline."""
    scene = make_scene(options, number)
    for frame in sorted(set(range(scene.n_frames)) - set(scene.frame.tolist())):
        yield _feature(None, options.first_subject + number, frame)


def _feature(geometry: _Feature | None, subject_id: int, frame: int, **more: str) -> _Feature:
    properties = {"subject_id": subject_id, "frame": frame, **more}
    return {"type": "Feature", "geometry": geometry, "properties": properties}
