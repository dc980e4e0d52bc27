"""A manifest of two partitions, made by hand."""

from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.store.manifest import PartitionRecord, StageRecord, new_manifest
from polyframe.store.run_counts import Counts, accounting_of
from polyframe.store.stages import STAGE_TABLES

SETTINGS = Settings(drawing_tasks=(DrawingTask("T0", (0, 2)),), eps=0.3)


def record(name: str, first: int | None, *stages: str) -> PartitionRecord:
    counts = Counts(rows_used=2, reasons={"frame_invalid": 1})
    places = "ab" * 16 if first else None
    records = {
        stage: StageRecord("01" * 16, places, counts, dict.fromkeys(STAGE_TABLES[stage], 5))
        for stage in stages
    }
    return PartitionRecord(name, first, "00ff" * 4, records)


MERGED_RECORD = StageRecord("02" * 16, None, Counts(), {"volunteers": 5})
RECORDS = (record("00000", None, "extract", "reduce"), record("00001-01", 5, "extract", "reduce"))
MADE = new_manifest(
    SETTINGS,
    RECORDS,
    accounting_of({"rows_read": 4, "rows_used": 4}),
    sources=("é.csv",),
    versions=("3.1",),
    version_chosen_by="default",
    extraction=SETTINGS,
    last_subject=9,
    merged={"reduce": MERGED_RECORD, "contours": MERGED_RECORD},
    engines={"reduce": "shapely", "contours": "compiled"},
)
