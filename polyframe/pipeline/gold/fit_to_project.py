"""Fit the outlines of an expert to a project: its subjects, and its tools."""

import re
from typing import Final

import numpy as np
import polars as pl
import shapely

from polyframe.consensus.marks import selected_marks
from polyframe.consensus.score.outlines import GoldOutlines, KeyedOutlines
from polyframe.core.arrays import Flags, Ints
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.settings import Settings
from polyframe.pipeline.gold.named_outlines import NamedOutlines
from polyframe.pipeline.gold.project import Project, Skipped

_TOOL: Final = re.compile(r"(.+)_tool(?:Index)?[0-9]+", re.DOTALL)


def fit_to_project(
    named: NamedOutlines, name: str, project: Project, settings: Settings, skipped: Skipped
) -> GoldOutlines:
    """Return the outlines on subjects of the project, of its tools, each once.

    Parameters
    ----------
    named : NamedOutlines
    name : str
        Of the file, for messages.
    project : Project
    settings : Settings
        `drawing_tasks`, `task` and `tool` select outlines.
    skipped : Skipped
        Receives what is not used.

    Raises
    ------
    PolyframeError
        If no subject is one of the project.
    UsageError
        If the outlines name no tool of the project, which has several.
    """
    images = _known_images(named.images, name, project, skipped)
    tools = _tools_of_names(named, name, project, settings, skipped)
    keys = named.keys.with_columns(
        pl.col("tool").replace_strict(tools, default=None, return_dtype=pl.String)
        if tools
        else pl.col("tool")
    )
    keys = keys.with_columns(_task(project)).select("subject_id", "task", "frame", "tool")
    known = keys["subject_id"].is_in(images["subject_id"].implode()) & keys["tool"].is_not_null()
    solid = named.regions.areas > 0
    _count(skipped, "without an area", keys, known.to_numpy() & ~solid)
    usable = known.to_numpy() & solid
    _count(
        skipped,
        "repaired because of self-intersections",
        keys,
        usable & named.regions.repaired,
    )
    rows = np.flatnonzero(usable)
    is_first = _first_of_equal(keys[rows], named.regions.polygons[rows])
    copies = np.zeros(len(usable), np.bool_)
    copies[rows[~is_first]] = True
    _count(skipped, "omitted as an exact copy of another on the same image", keys, copies)
    rows = rows[is_first]
    selected = selected_marks(keys.with_row_index("row")[rows], settings)["row"].to_numpy().astype(np.int64)
    outlines = KeyedOutlines(keys[selected], named.regions.polygons[selected], named.regions.areas[selected])
    names = (
        None if named.tools is None else frozenset(t for t in map(tools.get, named.tools) if t is not None)
    )
    return GoldOutlines(outlines, images, names)


def _known_images(images: pl.DataFrame, name: str, project: Project, skipped: Skipped) -> pl.DataFrame:
    is_known = images["subject_id"].is_in(sorted(project.subjects))
    unknown = images.filter(~is_known)["subject_id"].unique().sort()
    if not is_known.any():
        raise PolyframeError(f"{name}: contains no subject of {project.name}")
    if len(unknown):
        reason = f"absent from {project.name}"
        for subject in unknown.head(4).to_list():
            skipped.add("subject", reason, subject, count=0)
        skipped.add("subject", reason, count=len(unknown))
    return images.filter(is_known).unique(maintain_order=True)


def _tools_of_names(
    named: NamedOutlines, name: str, project: Project, settings: Settings, skipped: Skipped
) -> dict[str | None, str | None]:
    """Return the tool that each name means, and outlines without a name; None if it cannot be told."""
    names: set[str | None] = {*named.keys["tool"].unique().to_list(), *(named.tools or ())}
    tools: dict[str | None, str | None] = {
        tool: tool for tool in names if tool is not None and (tool in project.tools or _TOOL.fullmatch(tool))
    }
    others = names - tools.keys()
    if not others:
        return tools
    selectable = pl.DataFrame(
        {"tool": list(project.tools), "task": list(project.tools.values())},
        {"tool": pl.String, "task": pl.String},
    )
    candidates = selected_marks(selectable, settings)["tool"].sort().to_list()
    if not tools and len(candidates) == 1:
        return dict.fromkeys(others, candidates[0])
    if not tools and len(candidates) > 1:
        raise UsageError(
            f"{name}: names no tool of {project.name} ({', '.join(candidates)}); "
            "choose one with --task and --tool"
        )
    reason = f"whose tool is not one of {project.name}"
    counts = named.keys.filter(pl.col("tool").is_null() | pl.col("tool").is_in(sorted(map(str, others))))
    if counts.height:
        for tool in sorted(map(str, counts["tool"].unique().to_list())):
            skipped.add("outline", reason, "no tool" if tool == "None" else tool, count=0)
        skipped.add("outline", reason, count=counts.height)
    return tools | dict.fromkeys(others)


def _task(project: Project) -> pl.Expr:
    """Return the task of each tool; of one with which no volunteer drew, from its name."""
    known = pl.col("tool").replace_strict(project.tools, default=None, return_dtype=pl.String)
    return pl.coalesce(known, pl.col("tool").str.extract(r"^(?s)(.+)_tool(?:Index)?[0-9]+$")).alias("task")


def _first_of_equal(keys: pl.DataFrame, polygons: object) -> Flags:
    """Return which outlines are the first of their image and tool with exactly their region."""
    wkb = pl.Series("wkb", shapely.to_wkb(shapely.normalize(polygons)).tolist(), pl.Binary)
    same = keys.with_columns(wkb).with_row_index("row")
    firsts = same.unique(["subject_id", "frame", "tool", "wkb"], keep="first")["row"]
    is_first = np.zeros(keys.height, np.bool_)
    is_first[firsts.to_numpy()] = True
    return is_first


def _count(skipped: Skipped, reason: str, keys: pl.DataFrame, which: Flags | Ints) -> None:
    affected = keys.filter(pl.Series(which))
    if affected.height:
        for subject in affected["subject_id"].unique(maintain_order=True).head(4).to_list():
            skipped.add("outline", reason, f"subject {subject}", count=0)
        skipped.add("outline", reason, count=affected.height)
