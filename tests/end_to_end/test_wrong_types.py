"""Public functions called with wrong types: one line that names the argument, not a traceback."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from exports import ROOT

import polyframe as pf
from polyframe import synthetic
from polyframe.core.settings import Settings

EXPORT = ROOT / "data" / "classifications.csv"

#: Values instead of a path, a frame, a number or a word.
WRONG: dict[str, Callable[[], Any]] = {
    "number": lambda: 5,
    "fraction": lambda: 2.5,
    "NaN": lambda: np.nan,
    "bytes": lambda: b"x",
    "numbers": lambda: [1, 2],
    "names": lambda: ["no such name", None],
    "mapping": lambda: {"a": 1},
    "object": object,
    "type": lambda: dict,
    "function": lambda: print,
    "array": lambda: np.zeros((2, 2)),
    "frame": lambda: pl.DataFrame({"a": [1]}),
    "empty frame": pl.DataFrame,
    "series": lambda: pl.Series([1.5]),
    "huge": lambda: 10**30,
    "text": lambda: "no such name",
    "long text": lambda: "x" * 5000,
    "no text": lambda: "",
    "NUL": lambda: "a\0b",
}
#: Values that some parameters accept.
ACCEPTED: dict[str, tuple[str, ...]] = {
    "jobs": ("number", "huge"),
    "partition_size": ("number", "huge"),
    "min_samples": ("number", "huge"),
    "num_grid_points": ("number",),
    "max_levels": ("number", "huge"),
    "workflow_id": ("number", "huge"),
    "workflow_version": ("number",),
    "exclude_volunteers": ("number", "numbers", "huge", "text", "long text", "no text", "NUL"),
    "step_key": ("text", "long text", "no text", "NUL"),
    "tool_type": ("text", "long text", "no text", "NUL"),
    "task_index": ("number", "huge"),
    "image_name": ("text", "long text", "no text", "NUL"),
    "limit": ("number", "huge"),
    "export level": ("number", "huge"),
    "level": ("number", "huge"),
    "synth subjects": ("number",),
    "n_sides": ("number",),
    "widths": (),
    "keep_versions": ("number", "huge"),
    "max_shrink": ("fraction", "number", "NaN"),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wrong") / "out"
    pf.run(EXPORT, path, engine="shapely", jobs=1)
    return path


@pytest.fixture(scope="module")
def marks(out: Path) -> pl.DataFrame:
    return pf.scan(out, "extractions").collect()


def _refused(name: str, call: Callable[[Any], object], extra: tuple[str, ...] = ()) -> None:
    for kind, wrong in WRONG.items():
        if kind in (*ACCEPTED.get(name, ()), *extra):
            continue
        try:
            call(wrong())
        except pf.PolyframeError as error:
            message = str(error)
        else:
            pytest.fail(f"{name} accepted {kind}")
        assert "\n" not in message, (name, kind)
        # Only a name that the message has to repeat makes it long.
        assert len(message) < 500 or kind == "long text", (name, kind, message)


@pytest.mark.parametrize("name", [f for f in inspect.signature(Settings).parameters if f != "max_shrink"])
def test_settings(name: str, marks: pl.DataFrame) -> None:
    _refused(name, lambda wrong: pf.contours(marks, **{"engine": "shapely", name: wrong}))


@pytest.mark.parametrize("name", ["eps", "min_samples", "task", "jobs"])
def test_settings_to_compare(name: str, marks: pl.DataFrame) -> None:
    several = ("numbers",) if name == "min_samples" else ()
    _refused(
        f"tune {name}" if name == "min_samples" else name,
        lambda wrong: pf.tune(marks, **{"engine": "shapely", "eps": 0.5, name: wrong}),
        (*several, "number") if name == "min_samples" else (),
    )


def test_exports_marks_and_directories(out: Path, marks: pl.DataFrame, tmp_path: Path) -> None:
    words = ("text",)  # could be the name of a directory
    _refused("run output", lambda wrong: pf.run(EXPORT, wrong, engine="shapely"), words)
    _refused("run config", lambda wrong: pf.run(EXPORT, tmp_path / "out", wrong, engine="shapely"))
    _refused("extract", pf.extract)
    _refused("reduce", pf.reduce)
    _refused("contours", pf.contours)
    _refused("tune", pf.tune)
    _refused("scan", lambda wrong: pf.scan(wrong, "labels"))
    _refused("scan table", lambda wrong: pf.scan(out, wrong))
    _refused("status", pf.status)
    _refused("validate", pf.validate)
    assert not (tmp_path / "out").exists()


def test_exports_to_other_formats(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    _refused("export", lambda wrong: pf.export(wrong, "geojson", file))
    _refused("export to", lambda wrong: pf.export(out, wrong, file))
    _refused("export path", lambda wrong: pf.export(out, "geojson", wrong), ("text",))
    _refused("export what", lambda wrong: pf.export(out, "geojson", file, what=wrong))
    for name in ("classifications", "image_size", "image_name", "level"):
        _refused(
            "export level" if name == "level" else name,
            lambda wrong, name=name: pf.export(out, "coco", file, **{name: wrong}),
        )
    _refused("report", lambda wrong: pf.report(wrong, tmp_path / "a.html"))
    _refused("report path", lambda wrong: pf.report(out, wrong))
    for name in ("subjects", "classifications", "limit"):
        _refused(name, lambda wrong, name=name: pf.report(out, tmp_path / "a.html", **{name: wrong}))
    _refused(
        "images",
        lambda wrong: pf.report(
            out, tmp_path / "a.html", subjects=ROOT / "data" / "subjects.csv", images=wrong
        ),
    )


def test_configurations_to_write(tmp_path: Path) -> None:
    workflows = ROOT / "data" / "workflows.csv"
    _refused("workflows", lambda wrong: pf.config(wrong, tmp_path / "a"))
    _refused("folder", lambda wrong: pf.config(workflows, wrong), ("text",))
    _refused("id", lambda wrong: pf.config(workflows, tmp_path / "b", wrong))
    _refused("version", lambda wrong: pf.config(workflows, tmp_path / "c", version=wrong))


def test_synthetic_exports(tmp_path: Path) -> None:
    _refused("path", synthetic.write_export, ("text",))
    _refused("options", lambda wrong: synthetic.write_export(tmp_path / "a.csv", wrong))
    _refused("synth subjects", lambda wrong: synthetic.SynthOptions(subjects=wrong))
    _refused("order", lambda wrong: synthetic.SynthOptions(order=wrong))
    _refused("n_sides", synthetic.toy_cluster)
    _refused("directory", synthetic.write_example, ("text",))
    _refused("truth", lambda wrong: synthetic.write_truth(wrong, synthetic.SynthOptions()), ("text",))


def test_pictures(out: Path, marks: pl.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is missing: the extra `plot`")
    from matplotlib.figure import Figure

    plot: Any = pf.plot
    ax = Figure().subplots()
    groups = plot.read_groups(out, 1000003)
    tuned = pf.tune(marks, eps=0.5, engine="shapely")
    _refused("read_groups", lambda wrong: plot.read_groups(wrong, 1000003))
    _refused("subject_id", lambda wrong: plot.read_groups(out, wrong))
    for name in ("tasks", "frames", "tools"):
        _refused(name, lambda wrong, name=name: plot.read_groups(out, 1000003, **{name: wrong}))
    for draw in (plot.marks, plot.averages, plot.agreement):
        _refused("group", lambda wrong, draw=draw: draw(wrong, ax))
        _refused("ax", lambda wrong, draw=draw: draw(groups[0], wrong))
    _refused("image", lambda wrong: plot.marks(groups[0], ax, image=wrong), ("array",))
    _refused("level", lambda wrong: plot.level(groups[0], ax, level=wrong))
    for draw in (plot.consensus, plot.consensus_by_size, plot.tuning):
        _refused("table", lambda wrong, draw=draw: draw(wrong, ax))
        table = tuned if draw is plot.tuning else out
        _refused("ax", lambda wrong, draw=draw, table=table: draw(table, wrong))
    _refused("show", lambda wrong: plot.tuning(tuned, ax, show=wrong))
    _refused("groups", plot.subject_figure)
    for name in ("show", "images", "width", "level"):
        fine = ("mapping",) if name == "images" else ()
        _refused(name, lambda wrong, name=name: plot.subject_figure(groups[:1], **{name: wrong}), fine)
    _refused("overview", plot.overview_figure)
    _refused("width", lambda wrong: plot.tuning_figure(tuned, width=wrong))
    _refused("toy", lambda wrong: plot.toy(wrong, ax))
    _refused("eps", lambda wrong: plot.toy_figure(eps=wrong, min_samples=[], averages=[]))
    _refused("figure", lambda wrong: plot.save_figure(wrong, tmp_path / "a.png"))
    _refused("path", lambda wrong: plot.save_figure(Figure(), wrong))
    _refused("image", plot.read_image)
    _refused("url", plot.fetch_image)
    _refused("folder", plot.ImageFolder)
    _refused("subjects", lambda wrong: plot.read_subject(wrong, 1000003))
    _refused("subject", lambda wrong: plot.read_subject(ROOT / "data" / "subjects.csv", wrong))


def test_a_subject_given_as_a_string_is_an_error(out: Path) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is missing: the extra `plot`")
    with pytest.raises(pf.UsageError, match=r"^subject_id: '1000003' is not an integer$"):
        pf.plot.read_groups(out, "1000003")
    expected = pf.plot.read_groups(out, 1000003)
    assert len(pf.plot.read_groups(out, np.int64(1000003))) == len(expected) > 1
    # A single value is like a list of one; 0 does not mean "all".
    first = expected[0]
    assert {group.task for group in pf.plot.read_groups(out, 1000003, tasks=first.task)} == {first.task}
    frames = [group.frame for group in expected]
    assert len(pf.plot.read_groups(out, 1000003, frames=0)) == frames.count(0)


def test_pictures_of_frames_of_other_libraries(out: Path, marks: pl.DataFrame) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is missing: the extra `plot`")
    pandas = pytest.importorskip("pandas", reason="pandas is missing")
    from matplotlib.figure import Figure

    from polyframe.consensus.explode_levels import explode_levels

    tables = {name: pf.scan(out, name) for name in ("extractions", "labels", "reductions", "contours")}
    expected = pf.plot.groups_of(**{name: table.collect() for name, table in tables.items()})
    assert len(expected) == 25
    for kind in (
        lambda table: table,
        lambda table: table.collect().to_pandas(),
        lambda table: table.collect().to_arrow(),
    ):
        groups = pf.plot.groups_of(**{name: kind(table) for name, table in tables.items()})
        assert [len(group.marks) for group in groups] == [len(group.marks) for group in expected]
        assert [group.clusters[0].n_marks for group in groups if group.clusters] == [
            group.clusters[0].n_marks for group in expected if group.clusters
        ]
        bars = len(pf.plot.consensus(out, Figure().subplots()).patches)
        assert len(pf.plot.consensus(kind(tables["reductions"]), Figure().subplots()).patches) == bars > 1
        assert explode_levels(kind(tables["contours"])).equals(explode_levels(tables["contours"]))
    tuned = pf.tune(marks, eps=[0.3, 0.5], engine="shapely")
    lines = len(pf.plot.tuning(tuned, Figure().subplots()).lines)
    assert len(pf.plot.tuning(tuned.to_pandas(), Figure().subplots()).lines) == lines > 0
    assert len(pf.plot.tuning_figure(tuned.lazy()).axes) == 4
    with pytest.raises(pf.UsageError, match="extractions: the frame lacks the columns x, y"):
        pf.plot.groups_of(
            marks.drop("x", "y"), tables["labels"], pandas.DataFrame(tables["reductions"].collect())
        )


def test_help_does_not_show_the_largest_integer(polyframe: Callable[..., Any]) -> None:
    from polyframe.cli.app import cli

    for name in cli.commands:
        assert "9223372036854775807" not in polyframe(name, "--help").out
    assert "--subject INTEGER " in polyframe("plot", "--help").out
    for number in ("-1", str(2**63), "x"):
        refused = polyframe("plot", "out", "--subject", number, "-o", "a.png")
        assert refused.code == 2
        assert "--subject" in refused.err


@pytest.mark.parametrize("address", ["s3://bucket/x", "gs://bucket/x", "https://host/x", "abfs://a@b/x"])
def test_addresses_to_which_nothing_can_be_written(
    address: str, polyframe: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["plot", "--toy", "-o", address],
        ["export", "out", "--to", "coco", "-o", address],
        ["report", "out", "-o", address],
        ["config", ROOT / "data" / "workflows.csv", "-o", address],
        ["synth", address],
        ["synth", "out", "--truth", address],
    ):
        done = polyframe(*arguments)
        assert done.code == 2, arguments
        assert done.err.startswith(f"polyframe: error: {address}: expected a local path here; copy the files")
        assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_web_server_cannot_be_an_output(
    polyframe: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    address = "https://host/x"
    for arguments in (
        ["run", EXPORT, "-o", address],
        ["extract", EXPORT, "-o", address],
        ["contours", address],
        ["tune", address],
        ["status", address],
        ["validate", address],
        ["plot", address, "-o", "a.png"],
    ):
        done = polyframe(*arguments)
        assert done.code == 2, arguments
        assert f"{address}: expected a path, or an address that begins with s3://, gs:// or az://" in done.err
        assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda address: pf.export("out", "coco", address),
        lambda address: pf.report("out", address),
        lambda address: pf.config(ROOT / "data" / "workflows.csv", address),
        synthetic.write_export,
        lambda address: pf.plot.save_figure(None, address),
    ],
)
def test_addresses_in_python(
    call: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pf.UsageError, match=r"^s3://bucket/a\.html: expected a local path here; copy"):
        call("s3://bucket/a.html")
    assert list(tmp_path.iterdir()) == []
