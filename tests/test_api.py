"""The public functions: signatures, the effects of `output=`, notes, short reprs, and lazy names."""

import dataclasses
import inspect
import logging
import subprocess
import sys
import textwrap
import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square
from stores import published

import polyframe as pf
from polyframe import api
from polyframe.core.addresses import Address
from polyframe.core.choices import ExportFormat, TableName
from polyframe.core.setting_keywords import CallKeywords, ContoursKeywords, ExtractKeywords, ReduceKeywords
from polyframe.core.settings import Settings
from polyframe.core.tables import CONTOURS, PUBLIC_TABLES, REDUCTIONS, TABLES
from polyframe.export.export_options import FORMATS, ExportOptions
from polyframe.synthetic.synth_options import SynthOptions

Call = Callable[..., Done]
EXTRACTIONS_CSV = next((ROOT / "tests").rglob("extractions.csv"))
FUNCTIONS = [getattr(pf, name) for name in pf.__all__ if inspect.isfunction(getattr(pf, name))]
#: The stages whose settings a function takes, and its keyword arguments as type checkers see them.
STAGES: dict[str, tuple[tuple[str, ...], type]] = {
    "run": (("extract", "reduce", "contours", "carried", "run"), ContoursKeywords),
    "extract": (("extract", "run"), ExtractKeywords),
    "reduce": (("extract", "reduce", "carried", "run"), ReduceKeywords),
    "contours": (("extract", "reduce", "contours", "carried", "run"), ContoursKeywords),
}


def declared(*stages: str) -> list[str]:
    """Return the keyword arguments that are settings of some stages, in the order of their declaration."""
    names = []
    for f in dataclasses.fields(Settings):
        if f.metadata["affects"] in stages:
            names += [name for name in (f.metadata["keyword"], f.name) if name]
    return names


def keyword_arguments(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


# Signatures and docstrings


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_no_function_hides_its_arguments(function: Callable[..., Any]) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert inspect.Parameter.VAR_POSITIONAL not in kinds


@pytest.mark.parametrize("name", STAGES)
def test_signatures_spell_out_the_settings(name: str) -> None:
    stages, keywords = STAGES[name]
    parameters = keyword_arguments(getattr(pf, name))
    settings = [name for name in parameters if name in typing.get_type_hints(ContoursKeywords)]
    assert settings == [*declared(*stages), *typing.get_type_hints(CallKeywords)]
    assert all(parameters[name].default is None for name in declared(*stages))
    hints = typing.get_type_hints(getattr(pf, name))
    assert {name: hints[name] for name in settings} == typing.get_type_hints(keywords)


@pytest.mark.parametrize("name", STAGES)
def test_docstrings_describe_each_setting_as_it_is_declared(name: str) -> None:
    text = " ".join(inspect.getdoc(getattr(pf, name)).split())  # type: ignore[union-attr]
    assert "{settings}" not in text
    described = [f for f in dataclasses.fields(Settings) if f.metadata["affects"] in STAGES[name][0]]
    for f in described:
        assert f.metadata["help"][1:].rstrip(".") in text
        names = f"{f.name}, {f.metadata['keyword']}" if f.metadata["keyword"] else f.name
        assert f" {names} : " in text
    assert "eps : float, optional Largest IoU distance between neighbours (0 < eps <= 1). Default: 0.5." in (
        text if "reduce" in STAGES[name][0] else inspect.cleandoc(" ".join(str(pf.run.__doc__).split()))
    )


def test_tune_takes_the_settings_of_its_command_and_those_of_the_marks() -> None:
    hints = typing.get_type_hints(ContoursKeywords)
    named = [
        name
        for name in keyword_arguments(pf.tune)
        if name in hints and name not in ("eps", "min_samples", "cluster_method", "split")
    ]
    assert named[:-4] == [
        *("workflow_id", "workflow_version", "drawing_tasks", "task", "tool"),
        *("filter", "exclude_volunteers", "gold_standard", "min_threshold", "engine", "jobs"),
    ]
    own = typing.get_type_hints(pf.tune)
    assert {name: own[name] for name in named} == {name: hints[name] for name in named}


@pytest.mark.parametrize(("function", "options"), [(pf.synth, SynthOptions), (pf.export, ExportOptions)])
def test_options_are_those_declared(function: Callable[..., Any], options: Any) -> None:
    parameters, hints = keyword_arguments(function), typing.get_type_hints(function)
    fields = dataclasses.fields(options)
    own = ("say", "progress", "truth", "storage_options")
    assert [name for name in parameters if name not in own] == [f.name for f in fields]
    assert [parameters[f.name].default for f in fields] == [f.default for f in fields]
    for f in fields:
        declared = typing.get_type_hints(options)[f.name]
        # The options get a local copy of an export that is at an address.
        assert hints[f.name] in (declared, declared | Address), f.name
    text = " ".join(str(function.__doc__).split())
    for f in fields:
        assert f" {f.name} : " in text
        assert f.metadata["help"].split("  [default")[0][1:] in text


def test_literal_types_name_the_tables_and_formats() -> None:
    assert set(typing.get_args(TableName)) == set(PUBLIC_TABLES)
    assert typing.get_args(ExportFormat) == tuple(FORMATS)


def test_average_has_two_names(tmp_path: Path) -> None:
    marks = pf.extract(square_export(tmp_path))
    union = pf.reduce(marks, average="union").reductions
    assert union["average_type"].to_list() == ["union"]
    assert union.equals(pf.reduce(marks, average_type="union").reductions)
    assert union.equals(pf.reduce(marks, average="union", average_type="union").reductions)
    with pytest.raises(
        pf.UsageError, match=r"^average_type 'last' contradicts average 'union'; pass one of them$"
    ):
        pf.reduce(marks, average="union", average_type="last")


SNIPPET = """
import polyframe as pf

pf.scan("out", "contuors")  # error
pf.export("out", "geojsn", "x")  # error
pf.run("x.csv", "out", average="mean")  # error
pf.run("x.csv", "out", epps=0.5)  # error
pf.reduce("out", filter="newest")  # error
pf.contours("out", engine="numba")  # error
pf.extract("x.csv").accounting  # error
pf.extract("x.csv", output="out").extractions  # error
pf.extract("x.csv", task="T0", tool=[0, 1]).extractions.height
pf.extract("x.csv", output="out", say=print).accounting.rows_read
pf.reduce("out", average="union", eps=0.4).reductions.height
pf.reduce("out", output="out", force=True).seconds
pf.contours("out").height
pf.contours("out", output="out", smoothing="rounded").partitions
pf.geometry.consensus(pf.geometry.iou_distance_matrix([]))
pf.plot.read_groups("out", 1)
pf.explode_levels(pf.scan("out", "contours")).height
pf.synth("toy", order="subject").rows
pf.validate("out")[0].problem
"""


@pytest.mark.slow
def test_mypy_sees_wrong_words_and_the_effect_of_output(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(tmp_path / "snippet.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error: " in line}
    expected = {number for number, line in enumerate(SNIPPET.splitlines(), 1) if "# error" in line}
    assert errors == expected, done.stdout


# output=


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output directory with all tables, made by `pf.run`."""
    out = tmp_path_factory.mktemp("api") / "out"
    data = ROOT / "data"
    pf.run(data / "classifications.csv", out, data / "config.yaml", eps=0.6, jobs=1)
    return out


DATA = (ROOT / "data" / "classifications.csv", ROOT / "data" / "config.yaml")


def test_functions_with_output_write_what_the_commands_write(tmp_path: Path, polyframe: Call) -> None:
    """Each step gives the same files, byte for byte."""
    export, config = DATA
    ours, theirs = tmp_path / "python" / "out", tmp_path / "command" / "out"
    steps: list[tuple[Callable[[], pf.Summary], tuple[object, ...]]] = [
        (
            lambda: pf.extract(export, config, output=ours, jobs=1),
            ("extract", export, "-c", config, "-o", theirs, "--jobs", 1),
        ),
        (
            lambda: pf.reduce(ours, output=ours, average="union", eps=0.4),
            ("reduce", theirs, "--average", "union", "--eps", 0.4),
        ),
        (lambda: pf.contours(ours, output=ours), ("contours", theirs)),
        (
            lambda: pf.run(export, ours, config, eps=0.3),
            ("run", export, "-o", theirs, "-c", config, "--eps", 0.3),
        ),
    ]
    for function, arguments in steps:
        summary = function()
        assert polyframe(*arguments).code == 0
        assert summary.output == ours
        assert published(ours) == published(theirs), arguments
    assert set(TABLES) <= {path.name for path in ours.iterdir()}


def test_reduce_writes_tables_of_a_csv_file_like_the_command(tmp_path: Path, polyframe: Call) -> None:
    ours, theirs = tmp_path / "python" / "out", tmp_path / "command" / "out"
    with pytest.warns(pf.PolyframeWarning, match="distinguished by name only"):
        summary = pf.reduce(EXTRACTIONS_CSV, output=ours, eps=0.4)
    assert polyframe("reduce", EXTRACTIONS_CSV, "-o", theirs, "--eps", 0.4).code == 0
    assert summary.stages == ("extract", "reduce")
    assert published(ours) == published(theirs)


def test_frames_are_the_tables_that_output_writes(tmp_path: Path) -> None:
    export, config = DATA
    extraction = pf.extract(export, config)
    assert pf.extract(export, config, output=tmp_path / "out").stages == ("extract",)
    for name, frame in vars(extraction).items():
        assert frame.equals(pf.scan(tmp_path / "out", name).collect()), name
    reduction = pf.reduce(tmp_path / "out", eps=0.4)
    pf.reduce(tmp_path / "out", output=tmp_path / "out", eps=0.4)
    for name, frame in vars(reduction).items():
        assert frame.equals(pf.scan(tmp_path / "out", name).collect()), name
    contours = pf.contours(extraction, eps=0.4)
    pf.contours(tmp_path / "out", output=tmp_path / "out")
    assert contours.equals(pf.scan(tmp_path / "out", "contours").collect())


def test_without_output_nothing_is_written(written: Path) -> None:
    before = published(written)
    pf.reduce(written, eps=0.2)
    pf.contours(written, eps=0.2)
    assert published(written) == before


def test_output_rebuilds_only_what_is_out_of_date(tmp_path: Path) -> None:
    export, config = DATA
    steps: list[tuple[int, int]] = []
    out = tmp_path / "out"
    made = [pf.extract(export, config, output=out, progress=lambda *step: steps.append(step)).made]
    made.append(pf.extract(export, config, output=out).made)
    made.append(pf.extract(export, config, output=out, force=True).made)
    n_rows = pf.scan(out, "classifications").collect().height
    assert (made, steps) == ([1, 0, 1], [(0, n_rows), (n_rows, n_rows)])


@pytest.mark.parametrize("function", [pf.reduce, pf.contours])
def test_marks_in_memory_cannot_be_written(function: Callable[..., Any], tmp_path: Path) -> None:
    marks = pf.extract(square_export(tmp_path))
    for in_memory in (marks, marks.extractions, marks.extractions.to_arrow()):
        with pytest.raises(pf.UsageError) as error:
            function(in_memory, output=tmp_path / "out")
        assert str(error.value) == (
            "output: marks in memory cannot be written as tables; first write the extractions with "
            f"extract(..., output={str(tmp_path / 'out')!r}), then pass {str(tmp_path / 'out')!r} as marks"
        )
    assert not (tmp_path / "out").exists()


def test_output_must_fit_the_marks(written: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for function in (pf.reduce, pf.contours):
        with pytest.raises(
            pf.UsageError, match=f"^output: the tables of {written} belong in {written}, not in"
        ):
            function(written, output=elsewhere)
        with pytest.raises(pf.PolyframeError, match=r"no\.csv: no such file"):
            function(tmp_path / "no.csv", output=tmp_path / "no.csv")
    with pytest.raises(
        pf.UsageError, match=r"extractions\.csv: is not an output directory; first run reduce"
    ):
        pf.contours(EXTRACTIONS_CSV, output=elsewhere)
    with pytest.raises(pf.UsageError, match=r"^output: expected a path or an address, got 5$"):
        pf.extract(DATA[0], output=typing.cast(Any, 5))
    assert not elsewhere.exists()


# Notes


def square_export(folder: Path, *versions: str) -> Path:
    """Two volunteers draw the same square, one in each version."""
    rows = [
        export_row(number, drawing(square(0, 0)), workflow_version=version)
        for number, version in enumerate(versions or ("3.1", "3.1"))
    ]
    path = folder / "squares.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def line_of(function: Callable[[], Any]) -> int:
    """Return the number of the line of a lambda."""
    return function.__code__.co_firstlineno


def test_notes_that_may_need_action_are_warnings_at_the_callers_line(tmp_path: Path) -> None:
    export = square_export(tmp_path, "3.1", "4.2")
    calls: list[Callable[[], Any]] = [
        lambda: pf.extract(export),
        lambda: pf.extract(export, output=tmp_path / "extracted"),
        lambda: pf.run(export, tmp_path / "out", jobs=1),
    ]
    for call in calls:
        with pytest.warns(pf.PolyframeWarning) as caught:
            call()
        assert [str(one.message) for one in caught] == ["version 4.2, the newest of 3.1, 4.2"]
        assert (caught[0].filename, caught[0].lineno) == (__file__, line_of(call))


def test_keys_of_a_configuration_that_are_not_used_are_warnings(tmp_path: Path) -> None:
    marks = pf.extract(square_export(tmp_path))
    config = {"workflow_id": 7, "epps": 0.3}
    for call in (
        lambda: pf.extract(tmp_path / "squares.csv", config),
        lambda: pf.reduce(marks, config),
        lambda: pf.tune(marks, config, eps=0.5),
    ):
        with pytest.warns(
            pf.PolyframeWarning, match=r"unknown key 'epps' is ignored; did you mean 'eps'\?"
        ) as caught:
            call()
        assert (caught[0].filename, caught[0].lineno) == (__file__, line_of(call))


def test_other_notes_are_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    export = square_export(tmp_path)
    with caplog.at_level(logging.INFO, logger="polyframe"), warnings.catch_warnings():
        warnings.simplefilter("error")
        pf.extract(export)
    expected = ["workflow 7 (Outline) with 2 rows, the only one in the export", "version 3.1"]
    assert [(record.name, record.message) for record in caplog.records] == [
        ("polyframe", message) for message in expected
    ]


def test_say_receives_every_note_instead(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notes: list[str] = []
    with caplog.at_level(logging.INFO), warnings.catch_warnings():
        warnings.simplefilter("error")
        pf.extract(square_export(tmp_path, "3.1", "4.2"), say=notes.append)
    assert notes == [
        "workflow 7 (Outline) with 2 rows, the only one in the export",
        "version 4.2, the newest of 3.1, 4.2",
    ]
    assert caplog.records == []


def test_notes_can_be_silenced_by_their_category(tmp_path: Path) -> None:
    assert issubclass(pf.PolyframeWarning, UserWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", pf.PolyframeWarning)
        pf.extract(square_export(tmp_path, "3.1", "4.2"))


# Results


def test_results_have_a_short_repr(tmp_path: Path) -> None:
    export = square_export(tmp_path)
    marks = pf.extract(export)
    assert repr(marks) == textwrap.dedent("""\
        <polyframe.Extraction>
          classifications  2 rows
          extractions      2 rows
          rejects          0 rows""")
    assert repr(pf.reduce(marks)) == textwrap.dedent("""\
        <polyframe.Reduction>
          groups      1 row
          labels      2 rows
          reductions  1 row
          subjects    1 row
          volunteers  2 rows""")
    summary = dataclasses.replace(pf.run(export, tmp_path / "out", jobs=1), seconds=1.25)
    assert repr(summary) == textwrap.dedent(f"""\
        <polyframe.Summary>
          output      {tmp_path / "out"}
          stages      extract, reduce, contours
          rows        2 of 2 used, 0 rejected
          marks       2, 0 rejected
          clusters    1 in 1 group
          partitions  1 of 1 processed in 1.2 s""")
    assert repr(pf.status(tmp_path / "out")) == textwrap.dedent(f"""\
        <polyframe.Status>
          output           {tmp_path / "out"}
          stages           extract, reduce, contours
          classifications  2 rows
          extractions      2 rows
          rejects          0 rows
          groups           1 row
          labels           2 rows
          reductions       1 row
          subjects         1 row
          volunteers       2 rows
          contours         1 row
          current          1 of 1 partition""")


def test_a_summary_prints_like_the_command(tmp_path: Path, polyframe: Call) -> None:
    export = square_export(tmp_path)
    printed = str(pf.extract(export, output=tmp_path / "ours")).splitlines()
    # The command also suggests what to do next.
    done = polyframe("extract", export, "-o", tmp_path / "theirs").out.partition("\n\n")[0].splitlines()
    assert printed[:-2] == done[:-2]
    assert printed[:2] == [
        "rows read 2 = 0 filtered out + 0 rejected + 2 used",
        "marks seen 2 = 0 rejected + 2 extracted",
    ]
    assert "clusters" not in repr(pf.extract(export, output=tmp_path / "ours"))


def test_html_reprs_are_small_and_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "<b>&"
    summary = pf.run(square_export(tmp_path), folder, jobs=1)
    for result in (summary, pf.status(folder), pf.extract(tmp_path / "squares.csv"), pf.reduce(folder)):
        html = result._repr_html_()
        assert html.startswith(f"<div><strong>polyframe.{type(result).__name__}</strong><table><tr><th")
        assert html.endswith("</td></tr></table></div>")
        assert "<b>" not in html
        assert len(html) < 1500
    assert "&lt;b&gt;&amp;" in summary._repr_html_()


def test_validate_returns_a_list_that_counts_what_was_read(written: Path) -> None:
    findings = pf.validate(written)
    assert findings == []
    present = [name for name in typing.get_args(TableName) if (written / name).exists()]
    rows = sum(pf.scan(written, name).collect().height for name in present)
    assert (findings.tables, findings.parts, findings.rows) == (9, 9, rows)
    assert repr(findings) == textwrap.dedent(f"""\
        <polyframe.Findings>
          read      9 tables, 9 parts, {rows:,} rows
          problems  0""")


def test_findings_show_the_first_problems() -> None:
    twelve = pf.Findings(
        [pf.Finding("size", f"labels/{k}", "is <short>", "run again") for k in range(12)], 1, 12, 0
    )
    lines = repr(twelve).splitlines()
    assert lines[2:4] == ["  problems  12", "  1         labels/0: is <short>; run again"]
    assert lines[-1] == "  ...       and 2 more"
    assert len(lines) == 14
    assert "labels/0: is &lt;short&gt;; run again" in twelve._repr_html_()


# Levels and GeoPandas


def test_levels_are_exploded_from_the_public_name(tmp_path: Path) -> None:
    """Squares at 0, 5 and 6: three cover 4 x 10, two or more 10 x 10, one or more 16 x 10."""
    rows = [export_row(number, drawing(square(x, 0))) for number, x in enumerate((0, 5, 6))]
    (tmp_path / "x.csv").write_text(export_text(rows), encoding="utf-8")
    contours = pf.contours(pf.extract(tmp_path / "x.csv"), eps=0.9)
    levels = pf.explode_levels(contours)
    assert levels.select("level", "area").rows() == [(1, 160.0), (2, 100.0), (3, 40.0)]
    assert [shapely.bounds(shape).tolist() for shape in shapely.from_wkb(levels["geometry"].to_list())] == [
        [0, 0, 16, 10],
        [5, 0, 15, 10],
        [6, 0, 10, 10],
    ]
    empty = pf.explode_levels(contours.clear())
    assert (empty.height, empty.schema) == (0, levels.schema)


def test_tables_become_frames_of_geopandas(tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    reductions = pf.reduce(pf.extract(square_export(tmp_path))).reductions
    arrow = reductions.to_arrow()
    for frame in (reductions, reductions.lazy(), arrow, arrow.to_pandas()):
        table = pf.to_geopandas(frame)
        assert isinstance(table, geopandas.GeoDataFrame)
        assert table.crs is None
        assert list(table.columns) == reductions.columns
        assert table.geometry.tolist() == [shapely.box(0, 0, 10, 10).normalize()] or table.area.tolist() == [
            100.0
        ]
        assert table["clusters_count"].tolist() == [2]
    for empty in (REDUCTIONS.empty(), CONTOURS.empty()):
        table = pf.to_geopandas(empty)
        assert (len(table), table.crs, list(table.columns)) == (0, None, empty.columns)
    missing = pf.to_geopandas(pl.DataFrame({"geometry": [None, shapely.to_wkb(shapely.Polygon())]}))
    assert [shape is None for shape in missing.geometry] == [True, False]
    assert missing.geometry[1].is_empty


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pl.DataFrame({"x": [1]}),
            "frame: has no column 'geometry'; pass reductions, contours or their levels",
        ),
        (pl.DataFrame({"geometry": [b"no"]}), "frame: the column 'geometry' is not WKB ("),
        (pl.DataFrame({"geometry": [1]}), "frame: the column 'geometry' is not WKB ("),
        ("out", "frame: expected a frame of Polars, pandas or Arrow, got str"),
    ],
)
def test_frames_without_geometries_are_refused(frame: Any, message: str) -> None:
    pytest.importorskip("geopandas")
    with pytest.raises(pf.UsageError) as error:
        pf.to_geopandas(frame)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_without_geopandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geopandas", None)
    with pytest.raises(pf.PolyframeError) as error:
        pf.to_geopandas(REDUCTIONS.empty())
    assert str(error.value) == "to_geopandas needs GeoPandas: pip install 'panoptes-polyframe[geo]'"


# The generator


def test_synth_writes_what_the_command_writes(tmp_path: Path, polyframe: Call) -> None:
    steps: list[tuple[int, int]] = []
    export = pf.synth(tmp_path / "ours", subjects=2, seed=5, progress=lambda *step: steps.append(step))
    assert polyframe("synth", tmp_path / "theirs", "--subjects", 2, "--seed", 5).code == 0
    assert published(tmp_path / "ours") == published(tmp_path / "theirs")
    assert export.path == tmp_path / "ours" / "classifications.csv"
    assert (export.subjects, steps) == (2, [(1, 2), (2, 2)])
    assert pf.synth(tmp_path / "one.csv", subjects=2, seed=5).rows == export.rows
    assert (tmp_path / "one.csv").read_bytes() == export.path.read_bytes()


# Names


def test_public_names_and_no_internal_modules() -> None:
    assert dir(pf) == sorted([*pf.__all__, "geometry", "plot"])
    of_plot = {"ShownSubject", "show"}  # which need its extra
    assert set(pf.__all__) - set(api.__all__) == {"PolyframeError", "UsageError", "__version__", *of_plot}
    assert set(api.__all__) <= set(pf.__all__)
    folders = {path.stem for path in (ROOT / "polyframe").iterdir()} - {"geometry", "plot", "export"}
    assert not folders & set(dir(pf))
    assert pf.geometry.consensus(np.array([[0, 0.5], [0.5, 0]])) == 0.5


def test_names_are_imported_when_they_are_used() -> None:
    code = (
        "import sys, polyframe as pf\n"
        "heavy = {'polars', 'numpy', 'shapely', 'pyarrow', 'polyframe.api', 'polyframe.geometry'}\n"
        "dir(pf), pf.PolyframeError, pf.__version__\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "from polyframe import *\n"
        "assert run is pf.run and callable(export)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_without_matplotlib_plot_is_missing_and_help_works() -> None:
    code = (
        "import sys, inspect; sys.modules['matplotlib'] = None\n"
        "import polyframe as pf\n"
        "assert not hasattr(pf, 'plot')\n"
        "assert 'run' in dict(inspect.getmembers(pf))\n"
        "try: pf.plot\n"
        "except pf.PolyframeError as error: print(error)\n"
        "try: from polyframe import plot\n"
        "except pf.PolyframeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    line = "pictures need Matplotlib: pip install 'panoptes-polyframe[plot]'\n"
    assert done.stdout == 2 * line


# Marks in memory and in a directory


def test_an_iterator_is_a_setting_like_a_list(written: Path) -> None:
    by_list = pf.reduce(written, tool=[1], engine="shapely").labels
    assert 0 < by_list.height < pf.reduce(written, engine="shapely").labels.height
    assert pf.reduce(written, tool=iter([1]), engine="shapely").labels.equals(by_list)
    counts = (pf.tune(written, eps=0.5, tool=tools, engine="shapely") for tools in ([1], iter([1])))
    assert next(counts).equals(next(counts))


@pytest.mark.parametrize("setting", [{"volunteers": "drop"}, {"workflow_id": 7}, {"visitors": "name"}])
def test_settings_of_the_extraction_are_ignored_with_a_note(setting: dict[str, Any]) -> None:
    extraction = pf.extract(*DATA)
    (name,) = setting
    for marks in (extraction, extraction.extractions):
        with pytest.warns(
            pf.PolyframeWarning, match=rf"^{name} ignored: the marks of .* are already extracted"
        ):
            assert pf.reduce(marks, **setting, engine="shapely").groups.height == 25
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A configuration is often that of the whole project.
        assert pf.reduce(extraction, setting, engine="shapely").groups.height == 25


def test_a_note_says_that_repeats_are_unknown_without_volunteers(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(
        export_text([export_row(i, drawing(square(0, 0)), user_name="ann") for i in (1, 2)]), encoding="utf-8"
    )
    marks = pf.extract(path, volunteers="drop", say=[].append)
    for function in (pf.reduce, pf.tune):
        with pytest.warns(pf.PolyframeWarning, match="the Extraction has no volunteers"):
            function(marks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pf.reduce(marks, filter="all", engine="shapely").labels.height == 2
        assert pf.reduce(pf.extract(path, say=[].append), engine="shapely").labels.height == 1


def test_notes_come_after_the_tables_so_that_they_may_be_errors(tmp_path: Path) -> None:
    export, config = ROOT / "data" / "classifications.csv", ROOT / "data" / "config.yaml"
    pf.run(export, tmp_path, config, engine="shapely")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(pf.PolyframeWarning, match="removed out-of-date tables: contours"):
            pf.run(export, tmp_path, config, eps=0.2, contours=False, engine="shapely")
    assert pf.status(tmp_path).settings["eps"] == 0.2


def test_callables_that_are_false_are_called(tmp_path: Path) -> None:
    class Notes(list[str]):
        def __call__(self, note: str) -> None:
            self.append(note)

    notes = Notes()
    pf.extract(ROOT / "data" / "classifications.csv", say=notes)
    assert "version 7.12, the newest of 7.9, 7.12" in notes


def test_an_empty_frame_of_pandas_has_no_marks() -> None:
    extraction = pf.extract(ROOT / "data" / "classifications.csv", ROOT / "data" / "config.yaml")
    assert pf.reduce(extraction.extractions.head(0).to_pandas()).labels.height == 0


# Frames that other libraries pass


def test_geopandas_gets_a_named_index_and_missing_geometries(written: Path) -> None:
    contours = pf.scan(written, "contours").collect()
    indexed = pf.to_geopandas(contours.to_pandas().set_index("subject_id"))
    assert indexed["subject_id"].to_list() == contours["subject_id"].to_list()
    missing = contours.with_columns(geometry=pl.lit(None, pl.Binary))
    assert pf.to_geopandas(missing.to_pandas()).geometry.isna().all()
    assert pf.to_geopandas(indexed) is indexed


@pytest.mark.parametrize(
    "damage",
    [
        pl.col("contours_area").list.head(0),
        pl.col("contours_level").list.head(0),
        pl.lit(None, CONTOURS.schema["contours_x"]).alias("contours_x"),
        pl.col("contours_y").list.eval(pl.element().list.head(4)),
        pl.col("contours_x", "contours_y").list.eval(pl.element().list.head(3)),
    ],
)
def test_lists_that_do_not_fit_are_refused(written: Path, damage: pl.Expr) -> None:
    contours = pf.scan(written, "contours").collect()
    with pytest.raises(
        pf.UsageError, match=r"^contours: row 0 of the frame \(from 0\) does not have one area"
    ):
        pf.explode_levels(contours.with_columns(damage))


def test_the_package_can_be_reloaded() -> None:
    code = "import importlib, polyframe as pf; importlib.reload(pf); assert callable(pf.export)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_folders_list_public_names() -> None:
    assert dir(pf.geometry) == sorted(pf.geometry.__all__)
    assert dir(pf.plot) == sorted(pf.plot.__all__)
