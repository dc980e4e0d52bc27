"""Take the outlines of an expert from classifications: those of an export, or rows of an output directory."""

from typing import Literal

import numpy as np
import polars as pl

from polyframe.consensus.extract import Extraction, repaired_polygons
from polyframe.core.choices import RepeatFilter
from polyframe.geometry.regions import Regions
from polyframe.pipeline.gold.named_outlines import NamedOutlines
from polyframe.pipeline.gold.project import Skipped


def gold_rows(extraction: Extraction) -> Extraction:
    """Return the classifications that are marked as gold standard, with their marks."""
    is_gold = pl.col("gold_standard").fill_null(value=False)
    return Extraction(
        extraction.classifications.filter(is_gold), extraction.extractions.filter(is_gold), extraction.rejects
    )


def outlines_of_extraction(
    extraction: Extraction, repeats: RepeatFilter, skipped: Skipped
) -> tuple[NamedOutlines, frozenset[int]]:
    """Return the marks of one classification per subject, and the ids of all classifications.

    Parameters
    ----------
    extraction : Extraction
        The classifications of experts, with their marks.
    repeats : {"first", "last", "all"}
        `last` takes the newest classification of a subject, otherwise the oldest counts: outlines of several
        experts, or of a repeated classification, would be the same objects twice.
    skipped : Skipped
        Receives the number of the others, and of marks without an area.
    """
    classifications = extraction.classifications
    ordered = classifications.sort("created_at", "classification_id", nulls_last=repeats != "last")
    keep: Literal["first", "last"] = "last" if repeats == "last" else "first"
    chosen = ordered.unique("subject_id", keep=keep, maintain_order=True).select(
        "subject_id", "classification_id"
    )
    if chosen.height < classifications.height:
        skipped.add(
            "classification",
            f"of a subject that has another one; only the {keep} of each subject is used",
            count=classifications.height - chosen.height,
        )
    marks = extraction.extractions.join(
        chosen, on=["subject_id", "classification_id"], how="semi", maintain_order="left"
    )
    repaired = repaired_polygons(marks)
    regions = Regions(repaired.polygons, repaired.areas, np.zeros(marks.height, np.bool_))
    images = chosen.select("subject_id", pl.lit(None, pl.Int32).alias("frame")).sort("subject_id")
    named = NamedOutlines(marks.select("subject_id", "frame", "tool"), regions, images, None)
    return named, frozenset(classifications["classification_id"].to_list())
