"""The report: its numbers equal the tables, text is escaped, missing data and errors are reported."""

import base64
import hashlib
import shutil
import statistics
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square
from pages import DATA, HOSTILE, IMAGES, VOLUNTEER, page_of
from PIL import Image
from stores import copied, stored

import polyframe as pf
from polyframe.core.callbacks import DetailedProgress, no_progress

Call = Callable[..., Done]


def table(output: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(output / name / "*.parquet")


def one_line(done: Done, code: int) -> str:
    assert done.code == code, done.err
    assert done.err.startswith("polyframe: error: ")
    assert len(done.err.splitlines()) == 1
    return done.err


def test_numbers_equal_those_of_the_tables(example: Path, example_page: Path) -> None:
    page = page_of(example_page)
    tiles = dict(zip((name for _, name in page.of("dt")), (n for _, n in page.of("strong")), strict=True))
    labels, consensus = table(example, "labels"), table(example, "reductions")["consensus"].to_list()
    assert tiles == {
        "Subjects": str(table(example, "classifications")["subject_id"].n_unique()),
        "Classifications": str(table(example, "classifications").height),
        "Marks": str(labels.height),
        "Clusters": str(len(consensus)),
        "Outliers": str((labels["cluster_label"] == -1).sum()),
        "Rejected": str(table(example, "rejects").height),
        "Median consensus": f"{statistics.median(consensus):.2f}",
    }
    counts, _ = np.histogram(consensus, bins=20, range=(0, 1))
    bars = [text.split(": ")[1] for _, text in page.of("title") if " to " in text]
    assert bars == [f"{n} cluster{'' if n == 1 else 's'}" for n in counts]


def test_clusters_are_worst_first_with_their_marks_and_contours(example: Path, example_page: Path) -> None:
    data = page_of(example_page).data
    clusters, groups, images = data["clusters"], data["groups"], data["images"]
    rows = table(example, "reductions").sort("consensus", maintain_order=True)
    assert clusters["consensus"] == sorted(rows["consensus"])
    levels = table(example, "contours")
    labels = table(example, "labels")
    for k in range(rows.height):
        group = clusters["group"][k]
        image = groups["image"][group]
        keys = {
            "subject_id": int(images["subject"][image]),
            "frame": images["frame"][image],
            "task": groups["task"][group],
            "tool": groups["tool"][group],
        }
        label = clusters["label"][k]
        (row,) = rows.filter(**keys, cluster_label=label).to_dicts()
        assert (clusters["consensus"][k], clusters["marks"][k]) == (row["consensus"], row["clusters_count"])
        (level,) = levels.filter(**keys, cluster_label=label).to_dicts()
        assert len(clusters["levels"][k]) == level["number_of_contours"]
        assert clusters["levelAreas"][k] == [round(area, 2) for area in level["contours_area"]]
        marks = labels.filter(**keys)
        assert groups["labels"][group] == marks["cluster_label"].to_list()
        assert groups["classificationIds"][group] == list(map(str, marks["classification_id"]))
        assert groups["markIndexes"][group] == marks["mark_index"].to_list()
        # The first point of each path is that of the mark, in the order of the labels.
        drawn = marks.join(table(example, "extractions"), on=["classification_id", "mark_index"])
        for path, x, y in zip(groups["paths"][group], drawn["x"], drawn["y"], strict=True):
            start = f"M{round(x[0] / images['unit'][image])} {round(y[0] / images['unit'][image])}"
            assert path.startswith(start.replace(" -", "-"))


def test_a_contour_level_instead_of_the_averages(example: Path, tmp_path: Path, polyframe: Call) -> None:
    page = page_of(pf.report(example, tmp_path / "half.html", level="50%").path)
    clusters = page.data["clusters"]
    assert page.data["level"] == "level 50%"
    for k, marks in enumerate(clusters["marks"]):
        place = clusters["levelNumbers"][k].index(-(-marks // 2))
        assert clusters["average"][k] == clusters["levels"][k][place]
    assert "</span> <span>level 50%</span></label>" in page.text
    done = polyframe("report", example, "--level", 5, "-o", tmp_path / "five.html")
    rows = table(example, "contours")
    lower = rows.filter(pl.col("number_of_contours") < 5).height
    note = f"{lower} of {rows.height} clusters have no level 5"
    assert 0 < lower < rows.height
    assert done.err.splitlines() == [f"polyframe: {note}"]
    page = page_of(tmp_path / "five.html")
    assert page.data["clusters"]["average"].count("") == lower
    assert f"{note}." in [text for _, text in page.of("li")]


def test_a_level_of_an_output_without_contours_is_an_error(tmp_path: Path, small_export: Path) -> None:
    pf.run(small_export, tmp_path / "out", engine="shapely", jobs=1, contours=False)
    with pytest.raises(pf.PolyframeError, match="polyframe contours"):
        pf.report(tmp_path / "out", tmp_path / "a.html", level=2)
    with pytest.raises(pf.UsageError, match=r"level: .half. is neither a number of marks"):
        pf.report(tmp_path / "out", tmp_path / "a.html", level="half")


def test_images_are_embedded_from_the_folder(example_page: Path) -> None:
    page = page_of(example_page)
    data = page.data["images"]
    embedded = {a["id"]: text for a, text in page.of("script") if (a.get("id") or "").startswith("image-")}
    assert len(embedded) == len(data["subject"]) == 16
    for k, (subject, frame) in enumerate(zip(data["subject"], data["frame"], strict=True)):
        with Image.open(DATA / "images" / f"{subject}-{frame}.png") as image:
            assert [n * data["unit"][k] for n in data["box"][k]] == pytest.approx([0, 0, *image.size])
            content = base64.b64decode(embedded[f"image-{k}"].removeprefix("data:image/jpeg;base64,"))
            with Image.open(BytesIO(content)) as small:
                assert max(small.size) <= 1000
                assert small.width / small.height == pytest.approx(image.width / image.height, rel=0.01)
                near = np.asarray(image.convert("RGB").resize((8, 8)), float)
                assert np.abs(near - np.asarray(small.convert("RGB").resize((8, 8)), float)).mean() < 5


def test_the_page_loads_nothing_and_allows_only_its_own_script(example_page: Path, hostile: Path) -> None:
    pf.report(hostile, hostile.parent / "hostile.html")
    for path in (example_page, hostile.parent / "hostile.html"):
        page = page_of(path)
        (policy,) = [a["content"] for a, _ in page.of("meta") if a.get("http-equiv")]
        assert policy
        assert policy.startswith("default-src 'none'; ")
        scripts = [text for a, text in page.of("script") if not a.get("type")]
        for texts, kind in ((scripts, "script-src"), ([text for _, text in page.of("style")], "style-src")):
            (text,) = texts
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{kind} 'sha256-{digest}'" in policy
        for _, attributes, _ in page.elements:
            assert not {"src", "style", "onerror", "onclick", "srcset"} & set(attributes)
        assert {tag for tag, _, _ in page.elements}.isdisjoint({"link", "img", "iframe", "object", "b"})
        assert "@import" not in page.text
        assert "url(" not in page.text


def test_hostile_text_is_escaped(hostile: Path, tmp_path: Path) -> None:
    pf.report(hostile, tmp_path / "x.html")
    page = page_of(tmp_path / "x.html")
    assert page.data["groups"]["task"] == [HOSTILE] * 2
    # Numbers too large for a browser are strings, and so exact.
    assert page.data["groups"]["classificationIds"][0] == [str(9007199254740993 + k) for k in range(4)]
    assert "<b>$title&.csv" in next(text for a, text in page.of("p") if a.get("class") == "lead")


def test_the_report_contains_no_names_of_volunteers(hostile: Path, tmp_path: Path) -> None:
    assert VOLUNTEER in "".join(table(hostile, "labels")["user_name"])
    pf.report(hostile, tmp_path / "x.html")
    assert VOLUNTEER.lower() not in (tmp_path / "x.html").read_text(encoding="utf-8").lower()


def test_equal_outputs_give_equal_bytes(example: Path, example_page: Path, tmp_path: Path) -> None:
    shutil.copytree(example, tmp_path / "elsewhere")
    pf.report(tmp_path / "elsewhere", tmp_path / "again.html", **IMAGES)
    again = (tmp_path / "again.html").read_text(encoding="utf-8")
    # The commands of the page name the output.
    assert again.replace(str(tmp_path / "elsewhere"), str(example)) == example_page.read_text(
        encoding="utf-8"
    )


def test_a_limit_shows_the_worst_clusters(example: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("report", example, "--limit", 5, "-o", tmp_path / "x.html")
    rows = table(example, "reductions").sort("consensus").head(5)
    shown = f"5 of 36 clusters of {rows['subject_id'].n_unique()} subjects"
    assert done.out == f"{tmp_path / 'x.html'}: {shown}, 0 images\n"
    page = page_of(tmp_path / "x.html")
    assert page.data["clusters"]["consensus"] == rows["consensus"].to_list()
    notes = " ".join(text for _, text in page.of("li"))
    assert "the 5 clusters with the lowest consensus, of 36" in notes
    # The total number of clusters of each subject is known.
    counts = dict(table(example, "reductions").group_by("subject_id").len().iter_rows())
    subjects = {int(subject): entry["clusters"] for subject, entry in page.data["subjects"].items()}
    # Groups without a cluster are there, too.
    without = table(example, "groups").filter(n_clusters=0)["subject_id"]
    expected = {*rows["subject_id"], *without}
    assert subjects == {subject: counts.get(subject, 0) for subject in expected}


def test_missing_tables_contours_and_images_are_reported(
    example: Path, tmp_path: Path, polyframe: Call
) -> None:
    out = tmp_path / "out"
    export, config = DATA / "classifications.csv", DATA / "config.yaml"
    assert polyframe("extract", export, "-c", config, "-o", out, "-q").code == 0
    done = polyframe("report", out, "-o", tmp_path / "x.html")
    assert f"has no table 'reductions'; make it with `polyframe reduce {out}`" in one_line(done, 1)
    assert not (tmp_path / "x.html").exists()
    assert polyframe("reduce", out, "-q").code == 0
    done = polyframe("report", out, "-o", tmp_path / "x.html", "--classifications", export)
    assert (done.code, done.err) == (0, "")
    page = page_of(tmp_path / "x.html")
    assert not page.data["contours"]
    notes = " ".join(text for _, text in page.of("li"))
    assert "This output has no contours" in notes
    assert "No images were given" in notes
    assert "is not known" not in notes
    assert set(page.data["images"]["sizeFrom"]) == {"recorded"}
    # Without the export the pictures end close to the marks.
    pf.report(out, tmp_path / "y.html")
    page = page_of(tmp_path / "y.html")
    images = page.data["images"]
    assert set(images["sizeFrom"]) == {"drawn"}
    assert "The size of 16 of 16 images is not known" in " ".join(text for _, text in page.of("li"))
    inside = table(out, "labels").filter(pl.col("cluster_label") >= 0)
    for k, (subject, frame) in enumerate(zip(images["subject"], images["frame"], strict=True)):
        left, top, width, height = (n * images["unit"][k] for n in images["box"][k])
        marks = inside.filter(subject_id=int(subject), frame=frame).join(
            table(out, "extractions"), on=["classification_id", "mark_index"]
        )
        x, y = marks["x"].explode(), marks["y"].explode()
        assert left < x.min() < x.max() < left + width
        assert top < y.min() < y.max() < top + height


def test_a_distant_outlier_does_not_shrink_the_rest(tmp_path: Path) -> None:
    marks = [square(0, 0), square(1, 0), square(900_000_000, 0)]
    export = tmp_path / "far.csv"
    export.write_text(export_text(export_row(k, drawing(mark)) for k, mark in enumerate(marks)))
    pf.run(export, tmp_path / "out", engine="shapely", jobs=1)
    pf.report(tmp_path / "out", tmp_path / "x.html")
    images = page_of(tmp_path / "x.html").data["images"]
    assert images["box"][0][2] * images["unit"][0] < 150


def test_outputs_with_rejects_but_without_clusters_or_marks(tmp_path: Path) -> None:
    export = tmp_path / "few.csv"
    point = {"frame": 0, "toolIndex": 0, "pathX": [1, 2], "pathY": [1, 2]}
    rows = [
        export_row(1, drawing(square(0, 0))),
        export_row(2, drawing(point)),
        export_row(3, "no json"),
    ]
    export.write_text(export_text(rows), encoding="utf-8")
    pf.run(export, tmp_path / "out", engine="shapely", jobs=1)
    done = pf.report(tmp_path / "out", tmp_path / "x.html")
    assert (done.clusters, done.subjects, done.images_missing) == (0, 0, 1)
    page = page_of(tmp_path / "x.html")
    cells = ["".join(text) for tag, _, text in page.elements if tag in ("th", "td")]
    for reason in ("too_few_points", "annotations_not_json"):
        assert cells[cells.index(reason) + 1] == "1"
    assert any(cell.startswith("a mark has fewer than three distinct points") for cell in cells)
    empty = tmp_path / "none.csv"
    empty.write_text(export_text([export_row(1, drawing())]), encoding="utf-8")
    pf.run(empty, tmp_path / "none", engine="shapely", jobs=1)
    assert pf.report(tmp_path / "none", tmp_path / "y.html").clusters == 0


def test_damaged_and_missing_images_give_white_backgrounds(
    example: Path, tmp_path: Path, polyframe: Call
) -> None:
    folder = tmp_path / "images"
    shutil.copytree(DATA / "images", folder)
    (folder / "1000001-0.png").unlink()
    content = (folder / "1000002-0.png").read_bytes()
    (folder / "1000002-0.png").write_text("not an image")
    # The header is valid, the pixels are not: the damage shows only when they are read.
    (folder / "1000004-0.png").write_bytes(content[:500])
    files = ("--images", folder, "--subjects", DATA / "subjects.csv")
    done = polyframe("report", example, *files, "-o", tmp_path / "x.html")
    assert done.out.endswith("36 clusters of 12 subjects, 13 images, 3 images missing\n")
    notes = done.err.splitlines()
    assert len(notes) == 2
    assert all("cannot be read as an image" in line and "is white" in line for line in notes)
    page = page_of(tmp_path / "x.html")
    assert sum((a.get("id") or "").startswith("image-") for a, _ in page.of("script")) == 13
    assert "no image was available: 3 of 16 images" in " ".join(text for _, text in page.of("li"))


def test_invalid_calls_are_errors_of_one_line(
    example: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.html"
    images, subjects = DATA / "images", DATA / "subjects.csv"
    for arguments, code, message in (
        ([tmp_path / "nothing"], 1, "no such directory"),
        ([DATA], 1, "not a polyframe output directory"),
        ([example, "--images", images], 2, "--images needs --subjects"),
        ([example, "--images", tmp_path / "no", "--subjects", subjects], 1, "no such folder of images"),
        ([example, "--subjects", DATA / "classifications.csv"], 1, "not a subject export"),
        ([example, "--classifications", subjects], 1, "has no image sizes"),
        ([example, "--limit", 0], 2, "0 is not in the range"),
        ([example, "--subjects", DATA], 1, "is a directory; name a file in it"),
    ):
        assert message in one_line(polyframe("report", *arguments, "-o", path), code)
        assert not path.exists()
    assert "must end in .html" in one_line(polyframe("report", example, "-o", example / "polyframe.json"), 2)
    (tmp_path / "y.html").mkdir()
    assert "is a directory" in one_line(polyframe("report", example, "-o", tmp_path / "y.html"), 1)
    with pytest.raises(pf.UsageError, match="limit: 0 is not an integer"):
        pf.report(example, path, limit=0)
    monkeypatch.setitem(sys.modules, "PIL", None)
    done = polyframe("report", example, "--images", images, "--subjects", subjects, "-o", path)
    assert "pip install 'panoptes-polyframe[report]'" in one_line(done, 1)
    assert polyframe("report", example, "-q", "-o", path) == Done(0, "", "")


def test_a_damaged_part_is_an_error(example: Path, tmp_path: Path, polyframe: Call) -> None:
    part = stored(copied(example, tmp_path / "out"), "labels")
    part.write_bytes(part.read_bytes()[:3000])
    done = polyframe("report", tmp_path / "out", "-o", tmp_path / "x.html")
    assert "polyframe validate" in one_line(done, 1)


def test_the_steps_are_reported(example: Path, tmp_path: Path) -> None:
    steps: list[str] = []

    class Steps(DetailedProgress):
        def begin(self, step: str, total: int = 0, unit: str = "rows") -> None:
            steps.append(step)

    limit = table(example, "reductions").height - 1
    report = pf.report(example, tmp_path / "a.html", limit=limit, progress=Steps(no_progress), say=str)
    assert report.clusters == limit
    assert (steps[0], steps[-1]) == ("counting the clusters", "writing the page")
    assert f"reading {limit} clusters of {limit + 1}" in steps
    assert f"drawing {limit} clusters" in steps
