"""A scheduled run does not replace good tables by accident."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square
from stores import edit_manifest, manifest_file, manifest_of, published

import polyframe as pf
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.core.tables import EXTRACTIONS
from polyframe.panoptes.annotations.tools import Tools, tools_from_names, tools_to_record
from polyframe.pipeline import plan, safeguards
from polyframe.store import manifest_text
from polyframe.store.manifest import (
    Manifest,
    PartitionRecord,
    StageRecord,
    new_manifest,
)
from polyframe.store.output import MANIFEST, STORE, WORK, Output
from polyframe.store.run_counts import Counts, accounting_of
from polyframe.store.stages import STAGE_TABLES

Call = Callable[..., Done]
Rows = list[dict[str, Any]]


def rows_of(version: str = "3.1", subjects: int = 4, first: int = 0, **cells: Any) -> Rows:
    """Return the rows of three volunteers who outline one object of each subject: a cluster for each."""
    return [
        export_row(
            first + 10 * s + v, drawing(square(v, 0)), subject_ids=s, workflow_version=version, **cells
        )
        for s in range(1, subjects + 1)
        for v in range(3)
    ]


def write(path: Path, rows: Rows) -> Path:
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def clusters(out: Path) -> int:
    return int(pf.scan(out, "reductions").select(pl.len()).collect().item())


def error_line(done: Done) -> str:
    lines = [line for line in done.err.splitlines() if line.startswith("polyframe: error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("polyframe: error: ")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Version 3.1 with four clusters."""
    return write(tmp_path / "export.csv", rows_of())


@pytest.fixture
def out(export: Path, tmp_path: Path, polyframe: Call) -> Path:
    assert polyframe("run", export, "-o", tmp_path / "out").code == 0
    assert clusters(tmp_path / "out") == 4
    return tmp_path / "out"


# Keep the version of OUT

ONE_NEWER = [export_row(900, drawing(square(0, 0)), workflow_version="3.2")]


def test_a_row_of_a_newer_version_only_adds_a_note(export: Path, out: Path, polyframe: Call) -> None:
    tables = {name: content for name, content in published(out).items() if name != MANIFEST}
    write(export, rows_of() + ONE_NEWER)
    done = polyframe("run", export, "-o", out)
    assert done.code == 0
    assert f"version 3.1, as in {out}; the export also contains 1 row of newer ver" in done.err
    assert "--workflow-version newest" in done.err
    assert {name: content for name, content in published(out).items() if name != MANIFEST} == tables
    assert manifest_of(out).accounting.rows_filtered == 1


def test_the_version_chosen_by_newest_is_kept(export: Path, out: Path, polyframe: Call) -> None:
    write(export, rows_of() + rows_of("3.2", subjects=3, first=500))
    assert polyframe("run", export, "-o", out, "--workflow-version", "newest").code == 0
    assert (manifest_of(out).versions, clusters(out)) == (("3.2",), 3)
    write(export, rows_of() + rows_of("3.2", subjects=3, first=500) + rows_of("4.1", first=700))
    assert polyframe("run", export, "-o", out).code == 0
    assert (manifest_of(out).versions, clusters(out)) == (("3.2",), 3)


@pytest.mark.parametrize("way", ["the command", "extract", "python", "a configuration"])
def test_every_command_and_function_keeps_the_version(
    way: str, export: Path, out: Path, polyframe: Call
) -> None:
    write(export, rows_of() + rows_of("3.2", subjects=1, first=500))
    newest = "newest"
    config = write(export.with_name("config.yaml"), [])
    config.write_text("workflow_id: 7\n")
    notes: list[str] = []

    def call(version: str | None) -> None:
        if way == "python":
            pf.run(export, out, workflow_version=version, say=notes.append)
        elif way == "a configuration":
            config.write_text("workflow_id: 7\n" + (f"workflow_version: {version}\n" if version else ""))
            assert polyframe("run", export, "-o", out, "-c", config).code == 0
        else:
            command = "run" if way == "the command" else way
            flags = ("--workflow-version", version) if version else ()
            assert polyframe(command, export, "-o", out, *flags).code == 0

    call(None)
    assert manifest_of(out).versions == ("3.1",)
    call(newest)
    assert manifest_of(out).versions == ("3.2",)
    call(None)
    assert manifest_of(out).versions == ("3.2",)
    if way == "python":
        assert "version 3.2, the newest of 3.1, 3.2" in notes


@pytest.mark.parametrize("flags", [(), ("--force",), ("--no-contours",)])
def test_a_missing_kept_version_is_an_error(
    flags: tuple[str, ...], export: Path, out: Path, polyframe: Call
) -> None:
    before = published(out)
    write(export, rows_of("3.0") + rows_of("4.2", first=500))
    done = polyframe("run", export, "-o", out, *flags)
    assert done.code == 1
    line = error_line(done)
    for words in ("no version 3.1, as in", str(out), "it has 3.0, 4.2", "--workflow-version newest"):
        assert words in line
    assert published(out) == before
    assert polyframe("run", export, "-o", out, "--workflow-version", "newest").code == 0
    assert manifest_of(out).versions == ("4.2",)


def test_a_range_of_versions_is_kept_as_a_range(export: Path, out: Path, polyframe: Call) -> None:
    assert polyframe("run", export, "-o", out, "--workflow-version", "3..3.5").code == 0
    write(export, rows_of() + rows_of("3.5", subjects=2, first=500) + rows_of("3.6", first=700))
    done = polyframe("run", export, "-o", out)
    assert (done.code, manifest_of(out).versions) == (0, ("3.1", "3.5"))
    assert "12 rows of newer versions, up to 3.6; use them with --workflow-version newest" in done.err
    write(export, rows_of("3.6"))
    assert "no version 3..3.5, as in" in error_line(polyframe("run", export, "-o", out))


def test_a_default_version_is_kept_exactly(tmp_path: Path, polyframe: Call) -> None:
    """The setting `13` selects all 13.x, but the newest version of an export can be 13.0, written `13`."""
    export, out = write(tmp_path / "export.csv", rows_of("13")), tmp_path / "out"
    assert polyframe("run", export, "-o", out).code == 0
    write(export, rows_of("13") + rows_of("13.1", subjects=2, first=500))
    assert polyframe("run", export, "-o", out).code == 0
    assert manifest_of(out).versions == ("13",)
    assert polyframe("run", export, "-o", out, "--workflow-version", "13").code == 0
    assert polyframe("run", export, "-o", out).code == 0
    assert manifest_of(out).versions == ("13", "13.1")


def test_a_first_run_chooses_the_newest_version(tmp_path: Path, polyframe: Call) -> None:
    export = write(tmp_path / "export.csv", rows_of("3.2") + rows_of("3.16", subjects=2, first=500))
    for name, flags in (("one", ()), ("two", ("--workflow-version", "newest"))):
        done = polyframe("run", export, "-o", tmp_path / name, *flags)
        assert "version 3.16, the newest of 3.2, 3.16" in done.err
        assert clusters(tmp_path / name) == 2
    extraction = pf.extract(export, workflow_version="newest")
    assert extraction.classifications["workflow_version"].unique().to_list() == ["3.16"]


def test_status_shows_how_the_version_was_chosen(export: Path, out: Path, polyframe: Call) -> None:
    shown = {"user": "(as requested)", "default": "(kept until", "newest": "(the newest, as requested)"}
    calls = [((), "default"), (("3.1",), "user"), ((), "user"), (("newest",), "newest"), ((), "default")]
    for version, expected in calls:
        flags = ("--workflow-version", *version) if version else ()
        assert polyframe("run", export, "-o", out, *flags).code == 0
        assert pf.status(out).version_chosen_by == expected
        assert f"version 3.1 {shown[expected]}" in polyframe("status", out).out
        assert json.loads(polyframe("status", out, "--json").out)["version_chosen_by"] == expected


def test_tables_of_another_version_of_polyframe_keep_their_workflow_version(
    export: Path, out: Path, polyframe: Call
) -> None:
    for change in ({"schema_version": 1}, {"polyframe_version": 7}):
        edit_manifest(out, lambda manifest, change=change: manifest.update(change))  # type: ignore[misc]
        write(export, rows_of() + ONE_NEWER)
        assert polyframe("run", export, "-o", out).code == 0
        assert (manifest_of(out).versions, clusters(out)) == (("3.1",), 4)
    damaged = manifest_file(out)
    damaged.write_text("{")
    done = polyframe("run", export, "-o", out)
    assert f"{damaged}: cannot be read; workflow and version are chosen as for a new" in done.err


def test_later_stages_accept_a_configuration_with_newest(
    export: Path, out: Path, tmp_path: Path, polyframe: Call
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("workflow_version: newest\n")
    assert polyframe("run", export, "-o", out, "-c", config).code == 0
    for stage in ("reduce", "contours"):
        assert polyframe(stage, out, "-c", config).code == 0
    assert pf.status(out).settings["workflow_version"] == "3.1"
    assert pf.status(out).parts_current == pf.status(out).parts
    assert pf.validate(out) == []


def test_extractions_csv_keeps_the_version_of_the_tables(tmp_path: Path, polyframe: Call) -> None:
    extracted = Path(__file__).parents[1] / "panoptes" / "extractions.csv"
    out = tmp_path / "out"
    assert polyframe("reduce", extracted, "-o", out, "--workflow-version", "7.12").code == 0
    before = published(out)
    for flags in ((), ("--workflow-version", "newest")):
        assert polyframe("reduce", extracted, "-o", out, *flags).code == 0
        assert pf.status(out).versions == ["7.12"]
    assert {n: c for n, c in published(out).items() if n != MANIFEST} == {
        n: c for n, c in before.items() if n != MANIFEST
    }


# Keep the workflow of OUT


def test_another_workflow_in_the_export_changes_nothing(export: Path, out: Path, polyframe: Call) -> None:
    write(export, rows_of() + rows_of(first=500, workflow_id=8, workflow_name="Other"))
    done = polyframe("run", export, "-o", out)
    assert done.code == 0
    listed = "7 (Outline) with 12 rows, 8 (Other) with 12 rows"
    assert f"workflow 7, as in {out}; the export contains {listed}" in done.err
    assert (pf.status(out).settings["workflow_id"], clusters(out)) == (7, 4)


def test_a_missing_workflow_is_an_error(export: Path, out: Path, polyframe: Call) -> None:
    before = published(out)
    write(export, rows_of(workflow_id=8, workflow_name="Other"))
    done = polyframe("run", export, "-o", out)
    assert done.code == 1
    line = error_line(done)
    for words in ("no workflow 7, which", str(out), "8 (Other) with 12 rows", "--workflow-id"):
        assert words in line
    assert published(out) == before


def test_another_chosen_workflow_has_its_newest_version(export: Path, out: Path, polyframe: Call) -> None:
    others = rows_of("3.1", 2, 500, workflow_id=8) + rows_of("5.2", 2, 700, workflow_id=8)
    write(export, rows_of() + others)
    assert polyframe("run", export, "-o", out, "--workflow-id", 8).code == 0
    assert (manifest_of(out).versions, clusters(out)) == (("5.2",), 2)


# Keep the settings of OUT


@pytest.fixture
def four(tmp_path: Path, polyframe: Call) -> tuple[Path, Path]:
    """Squares at 0, 1, 2 and 6, with distances of 2/11 to 3/4; a fifth volunteer draws the first twice."""
    shifts = (0, 1, 2, 6)
    rows = [export_row(v, drawing(square(s, 0), square(s, 40, toolIndex=1))) for v, s in enumerate(shifts)]
    rows += [export_row(v, drawing(square(0, 0)), user_name="twice") for v in (10, 11)]
    return write(tmp_path / "export.csv", rows), tmp_path / "out"


SETTINGS = ("--eps", 0.2, "--min-samples", 3, "--filter", "all", "--average", "union", "--min-threshold", 0.1)


@pytest.mark.parametrize("stage", ["reduce", "contours"])
def test_a_later_stage_uses_all_settings_of_out(stage: str, four: tuple[Path, Path], polyframe: Call) -> None:
    """Its tables are the same as before."""
    export, out = four
    more = ("--contour-method", "raster", "--num-grid-points", 30, "--smoothing", "rounded", "--tool", 0)
    assert polyframe("run", export, "-o", out, *SETTINGS, *more).code == 0
    before = published(out)
    for flags in ((), ("--force",)):
        done = polyframe(stage, out, *flags)
        assert done.code == 0
        assert published(out) == before
        assert "eps 0.2, min_samples 3, min_threshold 0.1" in done.err


def test_given_settings_override_those_of_out(
    four: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, out = four
    config = tmp_path / "config.yaml"
    config.write_text("reducer_config: {polygon_reducer: {average_type: last}}\n")
    assert polyframe("run", export, "-o", out, *SETTINGS).code == 0
    assert polyframe("reduce", out, "-c", config, "--eps", 0.9).code == 0
    expected = {"eps": 0.9, "min_samples": 3, "filter": "all", "average_type": "last", "min_threshold": 0.1}
    settings = pf.status(out).settings
    assert {name: settings[name] for name in expected} == expected
    once = tmp_path / "at once"
    command = ("run", export, "-o", once, "-c", config, *SETTINGS, "--average", "last", "--eps", 0.9)
    assert polyframe(*command).code == 0
    assert pf.scan(out, "reductions").collect().equals(pf.scan(once, "reductions").collect())


def test_a_reduction_uses_the_configuration_of_the_extraction(
    four: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, out = four
    config = tmp_path / "config.yaml"
    config.write_text("reducer_config: {polygon_reducer: {eps: 0.2, min_samples: 3}}\n")
    assert polyframe("extract", export, "-o", out, "-c", config).code == 0
    assert polyframe("reduce", out).code == 0
    assert polyframe("run", export, "-o", tmp_path / "at once", "-c", config, "--no-contours").code == 0
    assert published(out) == published(tmp_path / "at once")


def test_an_extraction_keeps_the_settings_of_later_stages(
    four: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    """In a schedule of single stages, new rows remove the reductions, but not their settings."""
    export, out = four
    config = tmp_path / "config.yaml"
    raster = ("--contour-method", "raster", "--num-grid-points", 30)
    config.write_text("reducer_config: {polygon_reducer: {collab: true}}\n")
    assert polyframe("run", export, "-o", out, "-c", config, *SETTINGS, *raster).code == 0
    for number in (20, 21):
        text = export.read_text() + export_text([export_row(number, drawing(square(0, 1)))]).split("\n", 1)[1]
        export.write_text(text)
        assert polyframe("extract", export, "-o", out).code == 0
        assert manifest_of(out).stages == ("extract",)
    assert polyframe("reduce", out).code == 0
    assert polyframe("contours", out).code == 0
    assert polyframe("run", export, "-o", tmp_path / "once", "-c", config, *SETTINGS, *raster).code == 0
    assert published(out) == published(tmp_path / "once")
    # An extraction of the same rows does not change the settings of the remaining tables, except those that
    # are only recorded.
    config.write_text("reducer_config: {polygon_reducer: {eps: 0.7, step_key: S1}}\n")
    assert polyframe("extract", export, "-o", out, "-c", config).code == 0
    settings = pf.status(out).settings
    assert (settings["eps"], settings["step_key"], settings["collab"]) == (0.2, "S1", True)
    assert pf.validate(out) == []
    # If no tables remain, their configured settings are recorded, as in a first extraction.
    config.write_text("reducer_config: {polygon_reducer: {eps: 0.5}}\n")
    assert polyframe("extract", export, "-o", out, "-c", config, "--tool", 0).code == 0
    assert {name: pf.status(out).settings[name] for name in ("eps", "min_samples")} == {
        "eps": 0.5,
        "min_samples": 3,
    }


def test_contours_without_reductions_remain_after_the_same_extraction(
    four: tuple[Path, Path], polyframe: Call
) -> None:
    export, out = four
    assert polyframe("extract", export, "-o", out).code == 0
    assert polyframe("contours", out, "--eps", 0.2).code == 0
    before = published(out)
    assert polyframe("extract", export, "-o", out).code == 0
    assert published(out) == before


def test_functions_use_the_settings_of_a_directory(four: tuple[Path, Path], polyframe: Call) -> None:
    export, out = four
    assert polyframe("run", export, "-o", out, *SETTINGS, "--tool", 0).code == 0
    for name in ("groups", "labels", "reductions"):
        assert getattr(pf.reduce(out), name).equals(pf.scan(out, name).collect()), name
    assert pf.contours(out).equals(pf.scan(out, "contours").collect())
    # Worked out by hand: squares shifted by 1 have the distance 2/11, above .15; three of the six are at 0.
    assert pf.reduce(out, eps=0.15, min_samples=2).reductions["clusters_count"].to_list() == [3]
    with pytest.raises(pf.UsageError, match="workflow_id: 8 contradicts 7"):
        pf.reduce(out, workflow_id=8)


def test_a_directory_without_names_needs_filter_all(four: tuple[Path, Path], polyframe: Call) -> None:
    export, out = four
    assert polyframe("run", export, "-o", out, "--volunteers", "drop").code == 0
    for function in (pf.reduce, pf.contours, pf.tune):
        with pytest.raises(pf.UsageError, match="has no volunteers"):
            function(out)
        assert function(out, filter="all") is not None


# Limit how far tables may shrink


def broken(good: int) -> Rows:
    """Return rows with marks without an area, except for those of the first subjects."""
    rows = rows_of()
    for row in rows:
        if int(row["subject_ids"]) > good:
            row["annotations"] = drawing(square(0, 0, pathY=[5, 5, 5, 5]))
    return rows


def test_tables_that_would_shrink_are_not_replaced(export: Path, out: Path, polyframe: Call) -> None:
    """Twelve marks and four clusters become three and one."""
    before = published(out)
    write(export, broken(1))
    for flags in ((), ("--force",), ("--no-contours",), ("--max-shrink", "74.9%")):
        done = polyframe("run", export, "-o", out, *flags)
        assert done.code == 1
        line = error_line(done)
        for words in (
            f"{out}: its tables would shrink by more than",
            "(marks from 12 to 3 and clusters from 4 to 1)",
            "marks rejected 0 -> 9",
            "clusters 4 -> 1",
            "rejected as too_few_points 0 -> 9",
            "--max-shrink 100%",
        ):
            assert words in line
        assert published(out) == before
    done = polyframe("run", export, "-o", out, "--max-shrink", "100%")
    assert done.code == 0
    # The finished parts of the refused run are used.
    assert "0 of 1 partition processed" in done.out
    assert clusters(out) == 1
    assert not (out / WORK).exists()
    assert pf.validate(out) == []


def test_restored_rows_give_the_same_tables(export: Path, out: Path, polyframe: Call) -> None:
    before = published(out)
    good = export.read_bytes()
    write(export, broken(0))
    assert polyframe("run", export, "-o", out).code == 1
    export.write_bytes(good)
    assert polyframe("run", export, "-o", out).code == 0
    assert published(out) == before


@pytest.mark.parametrize(
    ("good", "share", "code"),
    [(2, "50%", 0), (2, "0.49", 1), (1, "0.75", 0), (1, None, 1), (3, "0", 1), (4, "0", 0), (3, "25%", 0)],
)
def test_a_fall_by_exactly_the_limit_is_accepted(
    good: int, share: str | None, code: int, export: Path, out: Path, polyframe: Call
) -> None:
    write(export, broken(good))
    flags = ("--max-shrink", share) if share else ()
    assert polyframe("run", export, "-o", out, *flags).code == code
    assert clusters(out) == (4 if code else good)


def test_the_limit_is_compared_as_a_decimal_number(tmp_path: Path) -> None:
    """As floats, 29% of 100 is less than 29."""
    before = manifest_with(100)
    recorded, output = before.to_dict(), Output(tmp_path)
    safeguards.check_shrinkage(output, recorded, before, manifest_with(71), 0.29)
    with pytest.raises(pf.PolyframeError, match=r"would shrink by more than 29% .*\(marks from 100 to 70\)"):
        safeguards.check_shrinkage(output, recorded, before, manifest_with(70), 0.29)


def manifest_with(marks: int) -> Manifest:
    """Return a manifest of an extraction."""
    settings = Settings(workflow_id=7, workflow_version="3.1")
    sizes = dict.fromkeys(STAGE_TABLES["extract"], 1)
    record = StageRecord("0" * 32, None, Counts(marks_decoded=marks), sizes)
    return new_manifest(
        settings,
        [PartitionRecord("00000", None, "0" * 16, {"extract": record})],
        accounting_of({"marks_decoded": marks}),
        sources=("export.csv",),
        versions=("3.1",),
        version_chosen_by="user",
        extraction=settings,
        last_subject=None,
    )


def test_the_error_lists_filtered_rows(export: Path, out: Path, polyframe: Call) -> None:
    rows = rows_of()
    for row in rows[2:]:
        row["workflow_version"] = "4.0"
    write(export, rows)
    line = error_line(polyframe("run", export, "-o", out))
    assert "marks from 12 to 2 and clusters from 4 to 1" in line
    assert "rows filtered 0 -> 10, rows used 12 -> 2" in line


def test_clusters_are_limited_without_marks(export: Path, out: Path, polyframe: Call) -> None:
    """One volunteer drew all marks, so two of three classifications are repeats."""
    write(export, rows_of(user_name="one"))
    line = error_line(polyframe("run", export, "-o", out))
    assert f"{out}: its tables would shrink" in line
    assert "(clusters from 4 to 0)" in line
    assert "marks set aside 0 -> 8" in line
    assert polyframe("run", export, "-o", out, "--filter", "all").code == 0
    assert clusters(out) == 4


def test_tables_may_shrink_if_settings_change(export: Path, out: Path, polyframe: Call) -> None:
    assert polyframe("run", export, "-o", out, "--eps", 0.01).code == 0
    assert clusters(out) == 0
    assert polyframe("run", export, "-o", out).code == 0
    write(export, rows_of() + ONE_NEWER)
    assert polyframe("run", export, "-o", out, "--workflow-version", "newest").code == 0
    assert clusters(out) == 0
    # Another eps can cause fewer clusters, but not fewer marks.
    write(export, rows_of("3.1"))
    assert polyframe("run", export, "-o", out, "--workflow-version", "3.1").code == 0
    write(export, broken(0))
    line = error_line(polyframe("run", export, "-o", out, "--eps", 0.9))
    assert f"{out}: its tables would shrink" in line
    assert "(marks from 12 to 0)" in line


def test_a_configuration_with_newest_is_limited_too(
    export: Path, out: Path, tmp_path: Path, polyframe: Call
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("workflow_version: newest\n")
    assert polyframe("run", export, "-o", out, "-c", config).code == 0
    write(export, rows_of() + ONE_NEWER)
    line = error_line(polyframe("run", export, "-o", out, "-c", config))
    assert "marks from 12 to 1 and clusters from 4 to 0" in line
    config.write_text("workflow_version: newest\nmax_shrink: 100%\n")
    assert polyframe("run", export, "-o", out, "-c", config).code == 0
    assert pf.status(out).versions == ["3.2"]


def test_an_extraction_alone_is_limited(export: Path, out: Path, polyframe: Call) -> None:
    before = published(out)
    write(export, broken(1))
    line = error_line(polyframe("extract", export, "-o", out))
    assert f"{out}: its tables would shrink" in line
    assert "(marks from 12 to 3)" in line
    assert published(out) == before
    assert polyframe("extract", export, "-o", out, "--max-shrink", 1).code == 0


@pytest.mark.parametrize("stage", ["reduce", "contours"])
def test_later_stages_are_limited(stage: str, out: Path, polyframe: Call) -> None:
    edit_manifest(out, lambda manifest: manifest["accounting"].update(clusters=9))
    before = published(out)
    line = error_line(polyframe(stage, out, "--force"))
    assert f"{out}: its tables would shrink by more than 50%" in line
    assert "(clusters from 9 to 4)" in line
    assert published(out) == before
    assert polyframe(stage, out, "--force", "--eps", 0.9).code == (0 if stage == "reduce" else 2)
    assert polyframe(stage, out, "--max-shrink", "100%").code == 0
    assert manifest_of(out).accounting.clusters == 4


def test_tables_of_another_version_of_polyframe_are_limited(export: Path, out: Path, polyframe: Call) -> None:
    """Counts with the same names are compared; anything else is ignored."""

    def as_before(manifest: dict[str, Any]) -> None:
        manifest["accounting"] |= {"something": 5, "reasons": {}}
        manifest |= {"schema_version": 1, "partitions": [{}]}

    edit_manifest(out, as_before)
    write(export, broken(1))
    assert "marks from 12 to 3 and clusters from 4 to 1" in error_line(polyframe("run", export, "-o", out))


def test_functions_are_limited_too(export: Path, out: Path) -> None:
    write(export, broken(1))
    with pytest.raises(pf.PolyframeError, match="clusters from 4 to 1"):
        pf.run(export, out)
    pf.run(export, out, max_shrink="75%")
    assert clusters(out) == 1


def test_extractions_of_another_tool_are_limited(tmp_path: Path, polyframe: Call) -> None:
    extracted = Path(__file__).parents[1] / "panoptes" / "extractions.csv"
    small, out = tmp_path / "extractions.csv", tmp_path / "out"
    small.write_bytes(extracted.read_bytes())
    assert polyframe("reduce", small, "-o", out).code == 0
    header, first, *_ = small.read_text().splitlines(keepends=True)
    small.write_text(header + first)
    assert "would shrink by more than 50%" in error_line(polyframe("reduce", small, "-o", out))


# Check that the chosen tasks and tools exist


def two_tasks() -> Rows:
    """Return rows with tools 0 and 2 of T0 and tool 1 of T1; T2 is a question, T3 has no drawings."""
    rows = rows_of()
    for row in rows:
        annotations = json.loads(drawing(square(0, 0), square(40, 0, toolIndex=2)))
        annotations += json.loads(drawing(square(0, 40, toolIndex=1), task="T1"))
        annotations += [{"task": "T2", "value": "Yes"}, {"task": "T3", "value": []}]
        row["annotations"] = json.dumps(annotations)
    return rows


@pytest.fixture
def many(tmp_path: Path, polyframe: Call) -> tuple[Path, Path]:
    export, out = write(tmp_path / "many.csv", two_tasks()), tmp_path / "tables"
    assert polyframe("run", export, "-o", out).code == 0
    assert clusters(out) == 12
    return export, out


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Such an export, its tables and its extraction; for tests that change nothing."""
    folder = tmp_path_factory.mktemp("many")
    export, out, extracted = write(folder / "many.csv", two_tasks()), folder / "tables", folder / "new"
    pf.run(export, out)
    pf.extract(export, output=extracted)
    assert clusters(out) == 12
    return export, out, extracted


EXISTING = "it contains T0 (tools 0, 2), T1 (tool 1)"
#: Flags, and the tasks and tools among them that do not exist.
MISTAKES = [
    ("--task T9", "task T9"),
    ("--task T2", "task T2"),
    ("--task T0 --task T9", "task T9"),
    ("--tool 5", "tool 5"),
    ("--tool 0 --tool 5", "tool 5"),
    ("--task T1 --tool 0", "tool 0 of task T1"),
    ("--task T9 --tool 5", "task T9 or tool 5 of task T9"),
]


@pytest.mark.parametrize("in_shards", [False, True])
def test_an_extraction_is_compared_with_the_earlier_extraction_alone(
    in_shards: bool, many: tuple[Path, Path], polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts of later stages, which an extraction does not have, are no changes."""
    export, out = many
    monkeypatch.setattr(plan, "_MEGABYTE", 60)
    if in_shards:
        monkeypatch.setattr(manifest_text, "PARTITIONS_PER_SHARD", 1)
    assert polyframe("run", export, "-o", out).code == 0
    assert polyframe("reduce", out, "--task", "T1").code == 0
    assert len(list((out / STORE).glob("shards/*.json"))) == (8 if in_shards else 0)
    write(export, two_tasks()[:5])
    line = error_line(polyframe("extract", export, "-o", out))
    assert "would shrink by more than 50% with unchanged settings (marks from 36 to 15)" in line
    changes = line.partition("All changes: ")[2].partition(". ")[0].split(", ")
    assert changes == [
        "rows read 12 -> 5",
        "rows used 12 -> 5",
        "marks seen 36 -> 15",
        "marks decoded 36 -> 15",
    ]


@pytest.mark.parametrize("command", ["run", "extract", "reduce", "contours", "tune"])
@pytest.mark.parametrize(("flags", "missing"), MISTAKES)
def test_the_error_for_a_missing_tool_lists_the_existing_ones(
    flags: str, missing: str, command: str, unchanged: tuple[Path, Path, Path], polyframe: Call
) -> None:
    export, out, extracted = unchanged
    if command == "contours":
        out = extracted
    before = published(out)
    named = (export, "-o", out) if command in ("run", "extract") else (out,)
    done = polyframe(command, *named, *flags.split())
    assert done.code == 1
    line = error_line(done)
    assert f"{named[0]}: contains no outline of {missing}; {EXISTING}" in line
    assert published(out) == before


def test_a_missing_task_on_a_first_run_leaves_no_files(
    many: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, _ = many
    done = polyframe("run", export, "-o", tmp_path / "new", "--task", "T9")
    assert f"{export}: contains no outline of task T9; {EXISTING}" in error_line(done)
    assert not (tmp_path / "new").exists()


def test_bezier_tools_must_exist(many: tuple[Path, Path], polyframe: Call) -> None:
    export, out = many
    for named, missing in (("T0:1", "tool 1 of task T0"), ("5", "tool 5")):
        done = polyframe("run", export, "-o", out, "--bezier-tool", named)
        assert f"{export}: contains no outline of {missing}; {EXISTING}" in error_line(done)
    assert polyframe("run", export, "-o", out, "--bezier-tool", "T0:2", "--bezier-tool", "1").code == 0


def test_existing_tasks_and_tools_are_accepted(
    many: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, _ = many
    for flags, expected in (
        ("--task T0", 8),
        ("--tool 1", 4),
        ("--task T0 --task T1 --tool 0 --tool 1", 8),
        ("--task T3", 0),  # a new project: the task exists, but nobody has drawn anything
        ("--task T3 --task T1", 4),
    ):
        assert polyframe("run", export, "-o", tmp_path / flags, *flags.split()).code == 0
        assert clusters(tmp_path / flags) == expected
    # The tools of parts that are reused are known without reading them again.
    done = polyframe("run", export, "-o", tmp_path / "--task T0", "--task", "T0")
    assert (done.code, "0 of 1 partition processed" in done.out) == (0, True)


def test_a_tool_whose_marks_are_all_rejected_exists(tmp_path: Path, polyframe: Call) -> None:
    rows = rows_of()
    for row in rows:
        row["annotations"] = drawing(square(0, 0), square(0, 0, toolIndex=1, pathX=["a"] * 4))
    export = write(tmp_path / "export.csv", rows)
    for _ in range(2):
        assert polyframe("run", export, "-o", tmp_path / "out", "--tool", 1).code == 0
        assert pf.status(tmp_path / "out").accounting["reasons"] == {"coordinate_not_a_number": 12}


@pytest.mark.parametrize("partitions", ["one", "several"])
def test_a_tool_may_exist_in_any_partition(
    partitions: str, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    if partitions == "several":
        monkeypatch.setattr(plan, "_MEGABYTE", 60)
    rows = rows_of()
    for row in rows[-3:]:
        row["annotations"] = drawing(square(0, 0, toolIndex=4))
    export, out = write(tmp_path / "export.csv", rows), tmp_path / "out"
    assert polyframe("run", export, "-o", out, "--tool", 4).code == 0
    assert pf.status(out).partitions == (1 if partitions == "one" else 4)
    rows[0]["user_id"] = 99
    write(export, rows)
    assert polyframe("run", export, "-o", out, "--tool", 4).code == 0
    line = error_line(polyframe("run", export, "-o", out, "--tool", 4, "--tool", 5))
    assert "no outline of tool 5; it contains T0 (tools 0, 4)" in line


def configured(path: Path, *entries: str) -> Path:
    path.write_text(f"extractor_config: {{polygon_extractor: [{', '.join(entries)}]}}\n")
    return path


def test_a_configuration_may_name_unused_tools(
    many: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, out = many
    config = configured(tmp_path / "c.yaml", "{task: T0, tools: [0, 1, 2]}", "{task: T9}")
    for command in (("run", export, "-o", out), ("extract", export, "-o", out)):
        done = polyframe(*command, "-c", config)
        assert done.code == 0
        assert "names tool 1 of task T0, task T9, but there is no outline of it so far" in done.err
    assert pf.extract(export, config).extractions.height == 24
    config.write_text("task: [T0, T9]\n")
    done = polyframe("run", export, "-o", out, "-c", config)
    assert (done.code, "names task T9, but there is no outline of it" in done.err) == (0, True)


@pytest.mark.parametrize("text", ["task: T9", "tool: [7, 8]", None])
def test_a_configuration_whose_tools_are_all_missing_is_an_error(
    text: str | None, many: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, out = many
    before = published(out)
    config = configured(tmp_path / "c.yaml", "{task: T0, tools: [1]}", "{task: T9}")
    if text:
        config.write_text(text + "\n")
    for command in (
        ("run", export, "-o", out),
        ("extract", export, "-o", out),
        ("reduce", out),
        ("tune", out),
    ):
        done = polyframe(*command, "-c", config)
        assert done.code == 1
        line = error_line(done)
        assert ": contains no outline of " in line
        assert ", which the configuration names; it contains" in line
        assert EXISTING in line
    assert published(out) == before
    with pytest.raises(pf.PolyframeError, match="which the configuration names"):
        pf.extract(export, config)


def test_a_project_without_marks_is_not_an_error(tmp_path: Path, polyframe: Call) -> None:
    export = write(tmp_path / "young.csv", [export_row(1, '[{"task": "T0", "value": []}]')])
    config = configured(tmp_path / "c.yaml", "{task: T0, tools: [0, 1]}")
    for flags in (("-c", config), ("--task", "T0"), ()):
        assert polyframe("run", export, "-o", tmp_path / "out", *flags).code == 0
    line = error_line(polyframe("run", export, "-o", tmp_path / "out", "--task", "T1"))
    assert "contains no outline of task T1; it contains none of any task" in line


def test_arguments_in_python_are_flags(many: tuple[Path, Path]) -> None:
    export, out = many
    extraction = pf.extract(export)
    for function in (
        lambda **settings: pf.run(export, out, **settings),
        lambda **settings: pf.extract(export, **settings),
        lambda **settings: pf.reduce(extraction, **settings),
        lambda **settings: pf.contours(extraction.extractions, **settings),
        lambda **settings: pf.tune(extraction, **settings),
        lambda **settings: pf.reduce(out, **settings),
        lambda **settings: pf.contours(out, **settings),
        lambda **settings: pf.tune(out, **settings),
    ):
        with pytest.raises(pf.PolyframeError, match=r"of task T9; it contains T0 \(tools 0, 2\), T1"):
            function(task="T9")
        with pytest.raises(pf.PolyframeError, match=r"no outline of tool 5; it contains T0"):
            function(tool=[0, 5])
        with pytest.raises(pf.PolyframeError, match=r"no outline of tool 1 of task T0; it contains T0"):
            function(drawing_tasks=(DrawingTask("T0", (0, 1)),))


def test_a_tool_that_the_configuration_omits_is_an_error(
    many: tuple[Path, Path], tmp_path: Path, polyframe: Call
) -> None:
    export, out = many
    config = configured(tmp_path / "c.yaml", "{task: T0, tools: [0]}", "{task: T1, tools: [1]}")
    done = polyframe("run", export, "-o", out, "-c", config, "--tool", 2)
    assert (done.code, "tool: 2 is not among the tools of the configuration (0, 1)" in done.err) == (2, True)
    assert polyframe("run", export, "-o", out, "-c", config, "--tool", 1).code == 0


def test_a_picture_of_missing_tools_is_an_error(many: tuple[Path, Path]) -> None:
    _, out = many
    for named, what in (({"tasks": ["T0", "T9"]}, "task T9"), ({"tools": [0, 5, 6]}, "tool 5, 6")):
        with pytest.raises(pf.PolyframeError, match=f"subject 1 has no marks of {what}; it has frame 0 T0_"):
            pf.plot.read_groups(out, 1, **named)
    assert len(pf.plot.read_groups(out, 1, tasks=["T0"], tools=[0, 2])) == 2


def test_tools_of_combo_tasks_and_of_odd_cells() -> None:
    """Anything that is not an outline, a tool or JSON is ignored."""
    nested = {"task": "T5", "value": json.loads(drawing(square(0, 0, toolIndex=3), task="T6"))}
    odd = [
        {"task": "T7", "value": [{"toolIndex": 1, "toolType": "point", "x": 1, "y": 2}]},
        {"task": "T8", "value": [square(0, 0, toolIndex=2.0), square(0, 0, toolIndex="x"), 5, None]},
        {"task": "T8", "value": [square(0, 0, tool=9, toolIndex=None)]},
        {"task": "T8.0.0", "value": [square(0, 0)], "markIndex": 0},
        {"task": 5, "value": [square(0, 0)]},
        {"value": [square(0, 0)]},
        7,
    ]
    cells = [
        json.dumps([nested]),
        json.dumps(odd),
        None,
        "",
        "[",
        "5",
        "[" * 100_000,
        '[{"task": "T1", "value": NaN}]',
    ]
    nothing = EXTRACTIONS.empty()
    there = tools_to_record(nothing, cells, Settings(task=("T9",)))
    assert there == ["T6_toolIndex3", "T8_toolIndex2", "T8_toolIndex9"]
    assert tools_from_names(there) == Tools(frozenset({("T6", 3), ("T8", 2), ("T8", 9)}))
    # Without settings of tasks or tools, nothing is recorded.
    assert tools_to_record(nothing, cells, Settings()) == []


def test_the_number_of_recorded_tools_is_limited() -> None:
    cells = [drawing(*(square(0, 0, toolIndex=k) for k in range(500)))]
    named = Settings(tool=(499, 600))
    there = tools_to_record(EXTRACTIONS.empty(), cells, named)
    assert len(there) == 100
    assert tools_from_names(there).missing(named) == ["tool 600"]
