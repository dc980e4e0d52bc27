"""YOLO: labels equal the shapes of the tables, and no subject is on both sides of the split."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
import yaml
from exports import ROOT, Done, drawing, export_row, export_text, square
from hypothesis import given
from hypothesis import strategies as st

import polyframe as pf
from polyframe.export.polygon_fill import fill
from polyframe.export.yolo import joined

image = pytest.importorskip("PIL.Image")
Call = Callable[..., Done]
DATA = ROOT / "data"
EXPORT = DATA / "classifications.csv"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yolo") / "out"
    pf.run(EXPORT, folder, DATA / "config.yaml", engine="shapely", jobs=1)
    return folder


def run(folder: Path, *cells: tuple[int, str]) -> Path:
    """Run three volunteers' classifications of some subjects."""
    rows = [
        export_row(3 * place + number, cell, subject_ids=subject)
        for place, (subject, cell) in enumerate(cells)
        for number in range(3)
    ]
    (folder / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "e.csv", folder / "out", engine="shapely", jobs=1)
    return folder / "out"


def labels_in(path: Path) -> list[tuple[int, np.ndarray]]:
    """Return class and outline, as shares of the image's size, of each line."""
    rows = [line.split() for line in path.read_text("utf-8").splitlines()]
    return [(int(row[0]), np.array(row[1:], float).reshape(-1, 2)) for row in rows]


def listed(folder: Path) -> dict[str, list[str]]:
    """Return the images of each side."""
    return {side: (folder / f"{side}.txt").read_text("utf-8").splitlines() for side in ("train", "val")}


def all_listed(folder: Path) -> list[str]:
    return [*itertools.chain.from_iterable(listed(folder).values())]


@pytest.mark.parametrize("level", [None, 2])
def test_labels_equal_the_tables(level: int | None, out: Path, tmp_path: Path) -> None:
    options = {"workflows": DATA / "workflows.csv", "subjects": DATA / "subjects.csv", "level": level}
    train, val, labels = pf.export(out, "yolo", tmp_path / "y", classifications=EXPORT, **options)  # type: ignore[arg-type]
    rows = pf.scan(out, "reductions" if level is None else "contours").collect()
    data = yaml.safe_load((tmp_path / "y" / "data.yaml").read_text("utf-8"))
    assert data == {"train": "train.txt", "val": "val.txt", "names": {0: "Cell", 1: "Crystal"}}
    assert (train.count, val.count, labels.count) == (11, 5, rows.height)
    classes = {"T0_toolIndex0": 0, "T0_toolIndex1": 1}
    for (subject, frame), of_image in rows.group_by("subject_id", "frame"):
        lines = labels_in(tmp_path / "y" / "labels" / f"{subject}-{frame}.txt")
        assert len(lines) == of_image.height
        with image.open(DATA / "images" / f"{subject}-{frame}.png") as picture:
            size = picture.size
        for row, (number, outline) in zip(of_image.iter_rows(named=True), lines, strict=True):
            x, y = (
                (row["clusters_x"], row["clusters_y"])
                if level is None
                else (row["contours_x"][level - 1], row["contours_y"][level - 1])
            )
            assert number == classes[row["tool"]]
            points = outline * size
            assert points == pytest.approx(np.column_stack([x, y])[:-1], abs=1e-3)
            assert shapely.Polygon(points).area == pytest.approx(shapely.Polygon(zip(x, y, strict=True)).area)


def test_coordinates_are_shares_of_the_size_of_the_image(tmp_path: Path) -> None:
    out = run(tmp_path, (1, drawing(square(10, 20))))
    pf.export(out, "yolo", tmp_path / "y", image_size="100x80")
    (line,) = (tmp_path / "y" / "labels" / "1-0.txt").read_text("utf-8").splitlines()
    number, *values = line.split(" ")
    assert number == "0"
    corners = [("0.1", "0.25"), ("0.1", "0.375"), ("0.2", "0.25"), ("0.2", "0.375")]
    assert sorted(zip(values[::2], values[1::2], strict=True)) == corners


def test_all_frames_of_a_subject_are_on_one_side(out: Path, tmp_path: Path, polyframe: Call) -> None:
    command = ("export", out, "--to", "yolo", "-o", tmp_path / "y", "--classifications", EXPORT)
    done = polyframe(*command)
    assert done.err == ""
    assert done.out.splitlines() == [
        f"{tmp_path / 'y' / 'train.txt'}: 11 images",
        f"{tmp_path / 'y' / 'val.txt'}: 5 images",
        f"{tmp_path / 'y' / 'labels'}: 36 objects",
    ]
    # By hand, see test_split: of 1000001 to 1000012, these are used for validation.
    names = [f"./images/100000{name}.png" for name in ("3-0", "3-1", "6-0", "6-1", "7-0")]
    assert listed(tmp_path / "y")["val"] == names
    everything = sorted(all_listed(tmp_path / "y"))
    assert everything == sorted(f"./images/{path.name}" for path in (DATA / "images").iterdir())
    before = {path: path.read_bytes() for path in (tmp_path / "y").rglob("*.txt")}
    polyframe(*command, "--val-share", "0.2", "--seed", "0")
    assert before == {path: path.read_bytes() for path in (tmp_path / "y").rglob("*.txt")}
    polyframe(*command, "--seed", "1")
    assert listed(tmp_path / "y")["val"] == ["./images/1000006-0.png", "./images/1000006-1.png"]


def test_an_empty_side_is_reported(out: Path, tmp_path: Path, polyframe: Call) -> None:
    command = ("export", out, "--to", "yolo", "-o", tmp_path / "y", "--classifications", EXPORT)
    for share, side in (("0", "val"), ("1", "train")):
        done = polyframe(*command, "--val-share", share)
        assert done.code == 0
        assert f"{tmp_path / 'y' / side}.txt: contains no image, which Ultralytics refuses" in done.err
        assert listed(tmp_path / "y")[side] == []


@pytest.mark.parametrize(
    ("flag", "value"), [("--val-share", "1.5"), ("--val-share", "nan"), ("--seed", "1.5"), ("--seed", "x")]
)
def test_options_out_of_range(flag: str, value: str, out: Path, tmp_path: Path, polyframe: Call) -> None:
    assert polyframe("export", out, "--to", "yolo", "-o", tmp_path / "y", flag, value).code == 2
    name = flag.strip("-").replace("-", "_")
    number = float(value) if value != "x" else value
    with pytest.raises(pf.UsageError, match=name):
        pf.export(out, "yolo", tmp_path / "y", **{name: number})  # type: ignore[arg-type]
    assert polyframe("export", out, "--to", "coco", "-o", tmp_path / "c", flag, "0").code == 2
    assert not (tmp_path / "y").exists()


def test_images_without_objects_have_empty_labels(tmp_path: Path, polyframe: Call) -> None:
    out = run(tmp_path, (1, drawing(square(10, 20))), (2, drawing()))
    command = ("export", out, "--to", "yolo", "-o", tmp_path / "y", "--val-share", "0.5")
    done = polyframe(*command)
    assert "omitted 1 image that has shapes, but no known size (name the export with --class" in done.err
    assert "included 1 image that nobody drew on" in done.err
    assert [path.name for path in (tmp_path / "y" / "labels").iterdir()] == ["2-0.txt"]
    done = polyframe(*command, "--image-size", "100x80")
    assert "included 1 image that nobody drew on" in done.err
    assert (tmp_path / "y" / "labels" / "2-0.txt").read_bytes() == b""
    assert done.out.endswith("labels: 1 object\n")
    done = polyframe(*command, "--classifications", tmp_path / "e.csv")
    assert "known size (give --image-size): subject 1 frame 0" in done.err
    dropped = tmp_path / "dropped"
    polyframe(*command[:5], dropped, "--image-size", "100x80", "--empty-images", "drop")
    assert all_listed(dropped) == ["./images/1-0.png"]


def test_an_object_in_several_parts_is_one_line(tmp_path: Path) -> None:
    """A shape like a U, whose lower part is below the image."""
    x, y = [10, 20, 20, 40, 40, 50, 50, 10], [10, 10, 60, 60, 10, 10, 80, 80]
    mark = square(0, 0, pathX=x, pathY=y)
    out = run(tmp_path, (1, drawing(mark)))
    *_, labels = pf.export(out, "yolo", tmp_path / "y", image_size="100x50")
    assert labels.count == 1
    ((_, outline),) = labels_in(tmp_path / "y" / "labels" / "1-0.txt")
    assert 0 <= outline.min() <= outline.max() <= 1
    points = outline * (100, 50)
    assert shapely.Polygon(points).area == pytest.approx(2 * 10 * 40)
    picture = np.zeros((50, 100), np.uint8)
    fill(picture, np.concatenate([points, points[:1]]), 1)
    expected = np.zeros_like(picture)
    expected[10:, 10:20] = expected[10:, 40:50] = 1
    assert (picture == expected).all()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8, unique=True))
def test_joined_parts_cover_what_the_parts_cover(places: list[tuple[int, int]]) -> None:
    parts = []
    expected = np.zeros((100, 100), np.uint8)
    for place, (column, row) in enumerate(places):
        corner = np.array([10.0 * column + 1, 10.0 * row + 1])
        ring = corner + np.array([[0, 0], [8, 0], [8, 5], [4, 8], [0, 8]])
        parts.append(np.roll(ring, place, axis=0))
        fill(expected, np.concatenate([ring, ring[:1]]), 1)
    outline = joined(parts)
    assert len(outline) == 5 * len(parts) + 2 * (len(parts) - 1)
    assert shapely.Polygon(outline).area == pytest.approx(sum(shapely.Polygon(part).area for part in parts))
    picture = np.zeros_like(expected)
    fill(picture, np.concatenate([outline, outline[:1]]), 1)
    assert (picture == expected).all()


def subject_export(path: Path, names: dict[int, str]) -> Path:
    rows = {
        "subject_id": list(names),
        "metadata": [f'{{"Filename": "{name}"}}' for name in names.values()],
        "locations": ['{"0": "https://example.org/1.png"}'] * len(names),
    }
    pl.DataFrame(rows).write_csv(path)
    return path


def test_names_for_which_ultralytics_finds_no_labels(tmp_path: Path, polyframe: Call) -> None:
    out = run(tmp_path, (1, drawing(square(0, 0))), (2, drawing(square(0, 0))))
    command = ("export", out, "--to", "yolo", "-o", tmp_path / "y", "--image-size", "50x50", "--subjects")
    subjects = subject_export(tmp_path / "s.csv", {1: "a.gif", 2: "Tiere/Katze.JPG"})
    done = polyframe(*command, subjects)
    assert "1 image has an ending that Ultralytics may skip (.gif); convert them" in done.err
    assert all_listed(tmp_path / "y") == ["./images/a.gif", "./images/Tiere/Katze.JPG"]
    assert (tmp_path / "y" / "labels" / "Tiere" / "Katze.txt").is_file()
    for name, message in (
        ("images/b.png", "finds no labels of images in a folder 'images'"),
        ("x./b.png", "finds no labels of images in a folder 'x.'"),
        ("a.png", "would both be 'a.png'"),
        ("../b.png", "cannot be the name of a file in a folder"),
    ):
        done = polyframe(*command, subject_export(tmp_path / "s.csv", {1: "a.jpg", 2: name}))
        assert done.code == 2
        assert message in done.err


def test_a_file_in_place_of_the_folder(out: Path, tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / "y").touch()
    done = polyframe("export", out, "--to", "yolo", "-o", tmp_path / "y")
    assert done.code == 1
    assert "name a folder for the training set" in done.err
