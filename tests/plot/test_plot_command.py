"""`polyframe plot` end to end: files of the right format and size, and errors of one line."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doc_pages import DOCS, blocks
from exports import Done
from log_lines import as_on_terminal
from PIL import Image
from plotted_groups import DATA, squares_group
from web_server import WebServer

import polyframe as pf
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.plot import figures

Call = Callable[..., Done]
SUBJECT = ("--subject", 1000003)
IMAGES = ("--images", DATA / "images", "--subjects", DATA / "subjects.csv")


def one_line(done: Done, code: int) -> str:
    assert done.code == code, done.err
    assert done.err.startswith("polyframe: error: ")
    assert len(done.err.splitlines()) == 1
    return done.err


def test_a_png_has_the_requested_width(example: Path, tmp_path: Path, polyframe: Call) -> None:
    for width in (1200, 900):
        done = polyframe("plot", example, *SUBJECT, *IMAGES, "--width", width, "-o", tmp_path / "x.png")
        assert (done.code, done.out, done.err) == (0, "", "")
        with Image.open(tmp_path / "x.png") as picture:
            assert picture.width == width
            assert picture.height > width  # three rows of tall images


def test_svg_and_pdf_have_the_same_size(example: Path, tmp_path: Path, polyframe: Call) -> None:
    for suffix in ("svg", "pdf", "PNG"):
        done = polyframe("plot", example, *SUBJECT, "--frame", 0, "-o", tmp_path / f"x.{suffix}")
        assert done.code == 0
    with Image.open(tmp_path / "x.PNG") as picture:
        size = np.array(picture.size) * 72 / 120
    svg = (tmp_path / "x.svg").read_text(encoding="utf-8")
    match = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    assert match
    assert np.allclose([float(n) for n in match.groups()], size, atol=1)
    pdf = (tmp_path / "x.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+) *\]", pdf)
    assert box
    assert np.allclose([float(n) for n in box.groups()], size, atol=1)
    # Elements are identified by gid.
    assert svg.count('id="mark"') == 2 * 15


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_call_gives_the_same_bytes(
    suffix: str, small: Path, tmp_path: Path, polyframe: Call
) -> None:
    for name in ("a", "b"):
        assert polyframe("plot", small, "--subject", 1, "-o", tmp_path / f"{name}.{suffix}").code == 0
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.slow
def test_every_example_of_the_recipe_works(
    example: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(DATA)
    (tmp_path / "out").symlink_to(example)
    monkeypatch.chdir(tmp_path)
    page = DOCS / "recipes" / "plots.md"
    commands = re.findall(r"^polyframe (plot .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 7
    for command in commands:
        done = polyframe(*shlex.split(command))
        assert (done.code, done.err) == (0, ""), command
        assert Path(command.split(" -o ")[1]).stat().st_size > 10_000
    python = "\n".join(blocks(page, "python"))
    Path("recipe.py").write_text("import matplotlib\nmatplotlib.use('agg')\n" + python)
    subprocess.run([sys.executable, "recipe.py"], check=True)
    assert Path("both.png").exists()
    with Image.open("both-300-dpi.png") as picture:
        assert picture.size == (3300, 1800)


def test_the_picture_of_the_readme_is_small() -> None:
    assert (DOCS / "_static" / "picture.png").stat().st_size < 150_000


def test_drawings_can_be_chosen(example: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    groups = pf.plot.read_groups(example, 1000003)
    assert len(_panels(pf.plot.subject_figure(groups))) == 9
    assert len(_panels(pf.plot.subject_figure(groups, show=["marks"]))) == 3
    assert len(_panels(pf.plot.subject_figure(groups, show=["averages"], level=2))) == 6
    with pytest.raises(UsageError, match="choose from marks, averages, agreement"):
        pf.plot.subject_figure(groups, show=["nothing"])
    with pytest.raises(UsageError):
        pf.plot.subject_figure(groups, show=[])


def test_clusters_without_the_level_are_counted(small: Path, tmp_path: Path, polyframe: Call) -> None:
    groups = pf.plot.read_groups(small, 1)
    clusters = sum(len(group.clusters) for group in groups)
    assert clusters == 1
    missing = "polyframe: 1 of 1 cluster has no level 99\n"
    for level, note in (("100%", ""), ("99", missing)):
        done = polyframe("plot", small, "--subject", 1, "--level", level, "-o", tmp_path / "x.png")
        assert (done.code, done.err) == (0, note)
    notes: list[str] = []
    pf.plot.subject_figure(groups, show=["marks"], level=99, say=notes.append)
    assert notes == [missing.removeprefix("polyframe: ").strip()]
    with pytest.raises(UsageError, match="choose from marks, averages, agreement"):
        pf.plot.subject_figure(groups, show=["level"])


def _panels(figure) -> list:
    return [ax for ax in figure.axes if ax.get_label().startswith("panel")]


@pytest.mark.parametrize("width", [850, 1200])
@pytest.mark.parametrize("n_groups", [1, 2, 5])
def test_panels_and_texts_do_not_overlap(n_groups: int, width: int) -> None:
    for show, level in ((figures.KINDS, None), (("marks",), None), ((), 2)):
        figure = pf.plot.subject_figure([squares_group(9)] * n_groups, show=show, level=level, width=width)
        figure.draw_without_rendering()
        boxes = [ax.get_tightbbox() for ax in _panels(figure)] + [
            text.get_window_extent() for text in figure.texts
        ]
        for k, one in enumerate(boxes):
            assert one.x0 >= 0
            assert one.y0 >= 0
            assert one.x1 <= figure.bbox.x1 + 1
            assert one.y1 <= figure.bbox.y1 + 1
            for other in boxes[k + 1 :]:
                across = min(one.x1, other.x1) - max(one.x0, other.x0)
                down = min(one.y1, other.y1) - max(one.y0, other.y0)
                assert min(across, down) < 2, (show, one, other)


def test_subjects_without_clusters_or_contours_can_be_drawn(
    small: Path, tmp_path: Path, polyframe: Call
) -> None:
    assert polyframe("plot", small, "--subject", 2, "-o", tmp_path / "x.png").code == 0
    export = small.parent / "small.csv"
    pf.run(export, tmp_path / "out", contours=False, engine="shapely", jobs=1)
    assert polyframe("plot", tmp_path / "out", "--subject", 1, "-o", tmp_path / "y.png").code == 0
    done = polyframe("plot", tmp_path / "out", "--subject", 1, "--level", 2, "-o", tmp_path / "z.png")
    assert "polyframe contours OUT" in one_line(done, 1)
    assert not (tmp_path / "z.png").exists()


def test_charts_of_an_output_name_its_workflow(example: Path, tmp_path: Path, polyframe: Call) -> None:
    words, grid = ("--workflows", DATA / "workflows.csv"), ("--eps", "0.5", "--min-samples", "2")
    picture = tmp_path / "x.svg"
    for call, header in (
        (("plot", example, "-o", picture), "All clusters of {}"),
        (
            ("tune", example, *grid, "--quiet", "--plot", picture),
            "Settings for the 232 marks in 25 groups of {}",
        ),
    ):
        for options, expected in (
            ((), header.format(example.name)),
            (words, header.format("Outline cells and crystals")),
            ((*words, "--title", "My title"), "My title"),
        ):
            assert polyframe(*call, *options).code == 0
            assert f">{expected}<" in picture.read_text(encoding="utf-8")
    for option in ("--title", "--workflows"):
        assert f"{option} needs --plot FILE" in one_line(polyframe("tune", example, option, "x"), 2)


def test_a_choice_without_marks_lists_tools_with_their_labels(
    example: Path, tmp_path: Path, polyframe: Call
) -> None:
    words = ("--workflows", DATA / "workflows.csv")
    call = ("plot", example, "--subject", 1000003, "--tool", 4, "-o", tmp_path / "x.png")
    message = one_line(polyframe(*call, *words), 1)
    assert message.endswith(
        "frame 0 T0_toolIndex0 (Cell), frame 1 T0_toolIndex0 (Cell), frame 1 T0_toolIndex1 (Crystal)\n"
    )


def test_an_unknown_subject_is_an_error_with_the_subjects_that_have_marks(
    small: Path, tmp_path: Path, polyframe: Call
) -> None:
    done = polyframe("plot", small, "--subject", 77, "-o", tmp_path / "x.png")
    assert one_line(done, 1).endswith("no subject 77; subjects with marks: 1, 2, 4\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["OUT", "-o", "x.bmp"], "must end in .png, .svg or .pdf"),
        (["-o", "x.png"], "name an output directory"),
        (["OUT", "--toy", "-o", "x.png"], "--toy cannot be combined with OUT"),
        (["OUT", "--level", "2", "-o", "x.png"], "--level needs --subject"),
        (["OUT", "--classifications", "e.csv", "-o", "x.png"], "--classifications needs --subject"),
        (["--toy", "--workflows", "w.csv", "-o", "x.png"], "--workflows needs --subject"),
        (["OUT", "--subject", "1", "--images", ".", "-o", "x.png"], "--images needs --subjects"),
        (["OUT", "--subject", "1", "--fetch", "-o", "x.png"], "--fetch needs --subjects"),
        (["OUT", "--subject", "1", "--subjects", "s.csv", "-o", "x.png"], "--subjects needs --images"),
        (["OUT", "--subject", "1", "--image", "a", "--images", "b", "-o", "x.png"], "choose one of"),
        (["OUT", "--subject", "4", "--image", "a.png", "-o", "x.png"], "add --frame N"),
        (["OUT", "--subject", "1", "--level", "0", "-o", "x.png"], "level: '0' is neither a number of marks"),
        (["OUT", "--subject", str(2**63), "-o", "x.png"], "--subject"),
        (["OUT", "--subject", "1", "--width", "200", "-o", "x.png"], "or fewer panels with --show"),
    ],
)
def test_invalid_calls_exit_with_2(
    arguments: list[str],
    message: str,
    small: Path,
    tmp_path: Path,
    polyframe: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = polyframe("plot", *[small if word == "OUT" else word for word in arguments])
    assert message in one_line(done, 2)


def test_a_missing_image_is_an_error(small: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("plot", small, "--subject", 1, "--image", tmp_path / "no.png", "-o", tmp_path / "x.png")
    assert "no.png: no such file" in one_line(done, 1)
    # The folder of the picture is created, if possible.
    assert polyframe("plot", small, "--subject", 1, "-o", tmp_path / "none" / "x.png").code == 0
    done = polyframe("plot", small, "--subject", 1, "-o", tmp_path / "none" / "x.png" / "y.png")
    assert "x.png is a file); name another place" in one_line(done, 1)
    assert "name the directory that `polyframe run` wrote" in one_line(
        polyframe("plot", tmp_path, "-o", tmp_path / "x.png"), 1
    )


def test_a_frame_without_an_image_is_white_with_a_note(small: Path, tmp_path: Path, polyframe: Call) -> None:
    subjects = tmp_path / "subjects.csv"
    subjects.write_text('subject_id,metadata,locations\n4,"{""image"": ""a.png""}",{}\n', encoding="utf-8")
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    where = ("--images", tmp_path, "--subjects", subjects)
    done = polyframe("plot", small, "--subject", 4, *where, "-o", tmp_path / "x.png")
    assert (done.code, done.err) == (
        0,
        f"polyframe: {tmp_path}: no image of frame 1; its background is white\n",
    )


def test_images_are_fetched_only_when_asked(
    small: Path, tmp_path: Path, polyframe: Call, web: WebServer
) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    web.serve("/a.png", (tmp_path / "a.png").read_bytes())
    subjects = tmp_path / "subjects.csv"
    locations = f'{{""0"": ""{web.url}/a.png""}}'
    subjects.write_text(f'subject_id,metadata,locations\n1,{{}},"{locations}"\n', encoding="utf-8")
    call = ("plot", small, "--subject", 1, "--subjects", subjects, "-o", tmp_path / "x.png")
    assert polyframe(*call, "--images", tmp_path).code == 0
    assert web.requests == []
    assert polyframe(*call, "--fetch", "--cache", tmp_path / "cache").code == 0
    assert [request.path for request in web.requests] == ["/a.png"]


def test_a_too_large_picture_is_an_error() -> None:
    with pytest.raises(PolyframeError, match="too many for one picture"):
        pf.plot.subject_figure([squares_group()] * 41)
    with pytest.raises(PolyframeError, match="is too large; choose a smaller width"):
        pf.plot.subject_figure([squares_group()] * 20, width=10_000)


def test_the_settings_of_matplotlib_have_no_effect_and_do_not_change(
    small: Path, tmp_path: Path, polyframe: Call
) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30}):
        assert polyframe("plot", small, "--subject", 1, "-o", tmp_path / "a.png").code == 0
    assert polyframe("plot", small, "--subject", 1, "-o", tmp_path / "b.png").code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_a_missing_extra_is_named(small: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.argv = ['polyframe', 'plot', *sys.argv[1:]];"
        "from polyframe.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(small), "--subject", "1", "-o", "x.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    expected = "polyframe: error: pictures need Matplotlib: pip install 'panoptes-polyframe[plot]'\n"
    assert as_on_terminal(done.stderr) == expected
