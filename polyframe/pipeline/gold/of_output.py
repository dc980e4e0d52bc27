"""Know what an output directory says of its project and of its gold-standard classifications."""

import dataclasses
from collections.abc import Sequence

import polars as pl

from polyframe.consensus.exclusion import EXCLUSION_COLUMNS, is_excluded
from polyframe.consensus.extract import Extraction
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.core.notes import Information
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.core.tables import REJECTS
from polyframe.pipeline.gold.classified_outlines import gold_rows
from polyframe.pipeline.gold.project import Project
from polyframe.pipeline.gold.read_gold import GoldSource, ReadGold, read_gold
from polyframe.pipeline.safeguards import previous_selection
from polyframe.store.reading import OutputTables


def project_of_output(tables: OutputTables) -> Project:
    """Return the subjects and tools of an output directory."""
    columns = {"classifications": ["subject_id"], "extractions": ["task", "tool"]}
    frames = list(tables.partitions(**columns))
    project = project_of_frames(
        str(tables.output),
        tables.manifest.settings.workflow_id,
        pl.concat(part["classifications"].unique() for part in frames),
        pl.concat(part["extractions"].unique() for part in frames),
    )
    selection = previous_selection(tables.output, tables.manifest.to_dict())
    return dataclasses.replace(project, selection=selection)


def project_of_frames(
    name: str, workflow_id: int | None, classifications: pl.DataFrame, extractions: pl.DataFrame
) -> Project:
    """Return the subjects and tools of the tables classifications and extractions."""
    tools = extractions.select("tool", "task").unique().sort("tool", "task")
    return Project(
        name, workflow_id, frozenset(classifications["subject_id"].unique().to_list()), dict(tools.rows())
    )


def marked_rows(tables: OutputTables) -> Extraction:
    """Return the gold-standard classifications of an output directory, with their marks."""
    parts = [
        gold_rows(Extraction(part["classifications"], part["extractions"], REJECTS.empty()))
        for part in tables.partitions(classifications=None, extractions=None)
    ]
    return Extraction(
        pl.concat(part.classifications for part in parts),
        pl.concat(part.extractions for part in parts),
        REJECTS.empty(),
    )


def gold_of_output(tables: OutputTables, settings: Settings, gold: GoldSource, say: Say) -> ReadGold:
    """Read the outlines of an expert for an output directory, and say on how many subjects they are."""
    project = project_of_output(tables)
    read = read_gold(gold, project, settings, lambda: marked_rows(tables), say)
    _describe(read, project, say)
    return read


def gold_for_output(tables: OutputTables, settings: Settings, gold: GoldSource, say: Say) -> ReadGold:
    """Read the outlines of an expert, who must not have taken part in clusters with some settings."""
    read = gold_of_output(tables, settings, gold, say)
    columns = ["subject_id", "classification_id", *EXCLUSION_COLUMNS]
    classifications = rows_of_subjects(tables, "classifications", read.outlines.subjects.to_list(), columns)
    check_gold_apart(str(tables.output), classifications, read, settings, "--gold-standard exclude")
    return read


def gold_for_frames(
    extractions: pl.DataFrame,
    classifications: pl.DataFrame | None,
    settings: Settings,
    gold: GoldSource,
    say: Say,
) -> ReadGold:
    """Read the outlines of an expert for marks in memory, like `gold_for_output`."""
    if classifications is None:
        # Only those with marks are known.
        classifications = extractions.unique("classification_id", maintain_order=True)
    project = project_of_frames("the marks", settings.workflow_id, classifications, extractions)
    marked = Extraction(classifications, extractions, REJECTS.empty())
    read = read_gold(gold, project, settings, lambda: gold_rows(marked), say)
    _describe(read, project, say)
    check_gold_apart("the marks", classifications, read, settings, "gold_standard='exclude'")
    return read


def _describe(read: ReadGold, project: Project, say: Say) -> None:
    n_outlines, n_subjects = len(read.outlines.outlines.areas), len(read.outlines.subjects)
    say(
        Information(
            f"{read.name}: {counted(n_outlines, 'gold outline')} on {n_subjects:,} of the "
            f"{counted(len(project.subjects), 'subject')} of {project.name}"
        )
    )


def rows_of_subjects(
    tables: OutputTables, table: str, subjects: Sequence[int], columns: list[str] | None = None
) -> pl.DataFrame:
    """Return the rows of a table about some subjects, at least one."""
    wanted = pl.col("subject_id").is_in(list(subjects))
    total = len(set(tables.partition_of(subjects).tolist()))
    tables.progress.begin(f"reading {table}")
    frames = []
    for done, part in enumerate(tables.partitions(subjects, **{table: columns}), start=1):
        frames.append(part[table].filter(wanted))
        tables.progress(done, total)
    return pl.concat(frames)


def check_gold_apart(
    name: str, classifications: pl.DataFrame, gold: ReadGold, settings: Settings, how_to_exclude: str
) -> None:
    """Check that no classification of the expert took part in the clusters that it is to judge.

    Parameters
    ----------
    name : str
        The output directory, for the message.
    classifications : polars.DataFrame
        `classification_id` and `EXCLUSION_COLUMNS` of the project.
    gold : ReadGold
    settings : Settings
        With which the clusters were made.
    how_to_exclude : str
        The command or argument with which clusters are made without gold standards, for the message.

    Raises
    ------
    PolyframeError
        If one did; the message says what to do.
    """
    own = classifications.filter(pl.col("classification_id").is_in(sorted(gold.classifications)))
    own = own.filter(~is_excluded(own, settings))
    if not own.height:
        return
    is_marked = own["gold_standard"].fill_null(value=False)
    way = (
        f"exclude them from the clusters: {how_to_exclude}"
        if is_marked.all()
        else "make the clusters from an export without them, and keep them in a file of their own for --gold"
    )
    raise PolyframeError(
        f"{name}: {counted(own.height, 'classification')} of the expert took part in its clusters, which "
        f"cannot be judged by them; {way}"
    )
