"""Check that both tools give the same results; a difference is an error of the benchmark."""

import csv
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely

import polyframe as pf

csv.field_size_limit(2**31 - 1)

CONSENSUS_TOLERANCE = 1e-9
AREA_TOLERANCE = 1e-6
#: The reference uses a grid for clusters with more marks.
LARGEST_EXACT_CLUSTER = 9

_COLUMN = re.compile(r"data\.frame(\d+)\.(T\d+_tool(?:Index)?\d+)_(\w+)")


class ResultsDifferError(Exception):
    """The tools give different results for the same input."""


def compare_extractions(table: Path, output: Path) -> str:
    """Compare the paths of every classification, frame and tool."""
    theirs: dict[tuple[int, int, str], list[Any]] = {}
    for row in _rows(table):
        for (frame, tool, name), values in _cells(row):
            if name == "pathX":
                y = json.loads(row[f"data.frame{frame}.{tool}_pathY"])
                theirs[int(row["classification_id"]), frame, tool] = list(zip(values, y, strict=True))
    ours = defaultdict(list)
    for row in (
        pf.scan(output, "extractions").sort("classification_id", "mark_index").collect().iter_rows(named=True)
    ):
        ours[row["classification_id"], row["frame"], row["tool"]].append((row["x"], row["y"]))
    _require(set(ours) == set(theirs), "extractions: other classifications, frames or tools")
    for key, paths in theirs.items():
        _require(ours[key] == paths, f"extractions: other paths at {key}")
    return f"{sum(map(len, theirs.values())):,} paths equal"


def compare_reductions(table: Path, output: Path) -> str:
    """Compare labels (equal), counts (equal), consensus (1e-9) and areas (1e-6) of every group."""
    theirs = _groups(table)
    labels, reductions = _ours(output, "labels"), _ours(output, "reductions")
    drawn = {key for key, group in theirs.items() if group.get("cluster_labels", [[]])[0]}
    _require(drawn == set(labels), "labels: other groups")
    clusters = 0
    for key in drawn:
        group = theirs[key]
        _require(
            labels[key]["cluster_label"].to_list() == group["cluster_labels"][0], f"labels differ at {key}"
        )
        if "consensus" not in group:
            _require(key not in reductions, f"reductions: a cluster too many at {key}")
            continue
        _require(key in reductions, f"reductions: no cluster at {key}")
        ours = reductions[key]
        _require(ours["clusters_count"].to_list() == group["clusters_count"][0], f"counts differ at {key}")
        _close(
            ours["consensus"].to_list(), group["consensus"][0], CONSENSUS_TOLERANCE, 0, f"consensus at {key}"
        )
        areas = [_area(x, y) for x, y in zip(group["clusters_x"][0], group["clusters_y"][0], strict=True)]
        _close(ours["area"].to_list(), areas, AREA_TOLERANCE, AREA_TOLERANCE, f"areas at {key}")
        clusters += ours.height
    return f"{len(drawn):,} groups, {clusters:,} clusters equal"


def compare_contours(table: Path, output: Path) -> str:
    """Compare consensus and, up to 9 marks, the area of every level of every cluster."""
    theirs, ours = _groups(table), _ours(output, "contours")
    with_contours = {key for key, group in theirs.items() if "contours_x" in group}
    _require(with_contours == set(ours), "contours: other groups")
    exact = gridded = failed = 0
    for key, part in ours.items():
        group = theirs[key]
        indices = {label: k for k, label in enumerate(group["cluster_label_for_contours"])}
        _require(set(indices) == set(part["cluster_label"]), f"contours: other clusters at {key}")
        for row in part.iter_rows(named=True):
            k = indices[row["cluster_label"]]
            where = f"{key}, cluster {row['cluster_label']}"
            _close(
                [row["consensus"]],
                [group["consensus"][k]],
                CONSENSUS_TOLERANCE,
                0,
                f"consensus at {where}",
            )
            if row["clusters_count"] > LARGEST_EXACT_CLUSTER:
                gridded += 1
                continue
            if not group["contours_x"][k]:
                failed += 1
                continue
            levels = zip(group["contours_x"][k], group["contours_y"][k], strict=True)
            compare_levels(row["contours_area"], [_area(x, y) for x, y in levels], where)
            exact += 1
    return (
        f"contours of {exact:,} clusters equal ({gridded:,} larger ones the reference computes on a grid, "
        f"{failed:,} it fails on)"
    )


def compare_levels(ours: list[float], theirs: list[float], where: str) -> None:
    """Compare the areas of all levels of a cluster; a missing level counts as one without area."""
    length = max(len(ours), len(theirs))
    padded = [[*levels, *[0.0] * (length - len(levels))] for levels in (ours, theirs)]
    _close(*padded, AREA_TOLERANCE, AREA_TOLERANCE, f"contour areas at {where}")


def compare_files(one: Path, other: Path) -> str:
    """Compare all part files of two outputs byte by byte."""
    files, others = ({path.relative_to(f): path for path in f.glob("*/part-*.parquet")} for f in (one, other))
    _require(set(files) == set(others), "other part files")
    for name, path in files.items():
        _require(path.read_bytes() == others[name].read_bytes(), f"{name} differs")
    return f"{len(files)} part files the same to the byte"


def _rows(table: Path) -> Any:
    with table.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _cells(row: dict[str, str]) -> Any:
    for column, cell in row.items():
        match = _COLUMN.fullmatch(column)
        if match and cell:
            yield (int(match[1]), match[2], match[3]), json.loads(cell)


def _groups(table: Path) -> dict[tuple[int, int, str], dict[str, list[Any]]]:
    groups: dict[tuple[int, int, str], dict[str, list[Any]]] = defaultdict(dict)
    for row in _rows(table):
        for (frame, tool, name), value in _cells(row):
            groups[int(row["subject_id"]), frame, tool].setdefault(name, []).append(value)
    return groups


def _ours(output: Path, table: str) -> dict[tuple[int, int, str], pl.DataFrame]:
    frame = pf.scan(output, table).collect()
    return frame.partition_by("subject_id", "frame", "tool", as_dict=True, maintain_order=True)


def _area(x: list[float], y: list[float]) -> float:
    return shapely.Polygon(np.column_stack([x, y])).area if x else 0.0


def _close(ours: list[float], theirs: list[float], absolute: float, relative: float, what: str) -> None:
    _require(len(ours) == len(theirs), f"{what}: {len(ours)} values, the reference has {len(theirs)}")
    for value, other in zip(ours, theirs, strict=True):
        _require(
            abs(value - other) <= absolute + relative * abs(other),
            f"{what}: {value!r}, the reference {other!r}",
        )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ResultsDifferError(message)
