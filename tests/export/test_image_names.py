"""Names of images: those of the subject export, templates, and names that clash."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import ROOT, Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.export.image_names import file_of

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    # Three volunteers agree on a square on both frames of subject 1 and on frame 0 of subject 2.
    rows = [
        export_row(
            10 * subject + number,
            drawing(*(square(number, 0, frame=frame) for frame in range(3 - subject))),
            subject_ids=subject,
        )
        for subject in (1, 2)
        for number in range(3)
    ]
    (folder / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "e.csv", folder / "out", engine="shapely", jobs=1)
    return folder / "out"


def subject_export(path: Path, metadata: dict[int, dict[str, str]], frames: dict[int, int]) -> Path:
    pl.DataFrame(
        {
            "subject_id": list(frames),
            "metadata": [json.dumps(metadata.get(subject, {})) for subject in frames],
            "locations": [
                json.dumps(
                    {str(frame): f"https://example.org/{subject}/{frame}.jpeg" for frame in range(number)}
                )
                for subject, number in frames.items()
            ],
        }
    ).write_csv(path)
    return path


def names(out: Path, path: Path, **options: object) -> list[str]:
    pf.export(out, "coco", path, image_size="50x50", say=lambda _: None, **options)  # type: ignore[arg-type]
    return [image["file_name"] for image in json.loads(path.read_text("utf-8"))["images"]]


def test_names_are_those_in_the_metadata(out: Path, tmp_path: Path) -> None:
    metadata = {
        1: {"image_2": "b/right.png", "image_1": "left.png", "origin": "x"},
        2: {"Filename": "cat.JPG"},
    }
    subjects = subject_export(tmp_path / "s.csv", metadata, {1: 2, 2: 1})
    target = tmp_path / "c.json"
    assert names(out, target) == ["1-0.png", "1-1.png", "2-0.png"]
    assert names(out, target, subjects=subjects) == ["left.png", "b/right.png", "cat.JPG"]
    template = "https://example.org/{subject_id}/{frame}/{filename}"
    prefixes = ["1/0/left.png", "1/1/b/right.png", "2/0/cat.JPG"]
    assert names(out, target, subjects=subjects, image_name=template) == [
        f"https://example.org/{name}" for name in prefixes
    ]
    assert names(out, target, image_name="{{{subject_id}}}_{frame}") == ["{1}_0", "{1}_1", "{2}_0"]


def test_formats_of_features_have_the_names_in_columns(out: Path, tmp_path: Path) -> None:
    """They may be equal there, since subject and frame are beside them."""
    metadata = {1: {"1": "left.png", "2": "right.png"}, 2: {"1": "left.png"}}
    subjects = subject_export(tmp_path / "s.csv", metadata, {1: 2, 2: 1})
    expected = ["left.png", "right.png", "left.png"]
    pf.export(out, "geojson", tmp_path / "a.geojson", subjects=subjects)
    features = json.loads((tmp_path / "a.geojson").read_text("utf-8"))["features"]
    assert [feature["properties"]["image"] for feature in features] == expected
    pf.export(out, "levels", tmp_path / "l.parquet", level=3, subjects=subjects)
    assert pl.read_parquet(tmp_path / "l.parquet")["image"].to_list() == expected
    pyogrio = pytest.importorskip("pyogrio")
    pf.export(out, "gpkg", tmp_path / "a.gpkg", subjects=subjects)
    assert pyogrio.read_arrow(tmp_path / "a.gpkg")[1]["image"].to_pylist() == expected
    with pytest.raises(pf.UsageError, match=r"would both be 'left\.png'"):
        pf.export(out, "geojson", tmp_path / "folder", subjects=subjects)


def test_half_a_character_is_no_name(out: Path, tmp_path: Path) -> None:
    subjects = subject_export(tmp_path / "s.csv", {1: {"1": "\ud800.png", "2": "b.png"}, 2: {}}, {1: 2, 2: 1})
    notes: list[str] = []
    pf.export(out, "levels", tmp_path / "l.parquet", level=3, subjects=subjects, say=notes.append)
    images = pl.read_parquet(tmp_path / "l.parquet")["image"].to_list()
    assert images == ["0.jpeg", "1.jpeg", "0.jpeg"]


def test_addresses_name_images_without_metadata_and_others_are_reported(
    out: Path, tmp_path: Path, polyframe: Call
) -> None:
    # One name for two images of subject 1, so its addresses count; the last parts are the same as those of 2.
    subjects = subject_export(tmp_path / "s.csv", {1: {"a": "only.png"}}, {1: 2})
    command = ("export", out, "--to", "coco", "-o", tmp_path / "c.json", "--image-size", "50x50")
    done = polyframe(*command, "--subjects", subjects)
    images = json.loads((tmp_path / "c.json").read_text("utf-8"))["images"]
    assert [image["file_name"] for image in images] == ["0.jpeg", "1.jpeg", "2-0.png"]
    assert (
        "1 image has no name in the subject export, so {subject_id}-{frame}.png is used: subject 2 frame 0"
        in done.err
    )


def test_names_that_clash_are_refused_and_nothing_is_written(
    out: Path, tmp_path: Path, polyframe: Call
) -> None:
    subjects = subject_export(tmp_path / "s.csv", {}, {1: 2, 2: 1})
    for to, path in (
        ("coco", tmp_path / "c.json"),
        ("masks", tmp_path / "m"),
        ("labelstudio", tmp_path / "l"),
    ):
        command = ("export", out, "--to", to, "-o", path, "--image-size", "50x50")
        for flags, name in (
            (("--image-name", "all.png"), "all.png"),
            (("--subjects", subjects), "0.jpeg"),
        ):
            done = polyframe(*command, *flags)
            assert done.code == 2
            assert f"would both be '{name}'" in done.err
            assert "subject 1 frame 0" in done.err
            assert not path.is_file()
            assert not list(path.glob("*"))
    # Some file systems do not distinguish upper and lower case.
    upper = subject_export(
        tmp_path / "u.csv", {1: {"1": "a.png", "2": "b.png"}, 2: {"1": "A.PNG"}}, {1: 2, 2: 1}
    )
    assert names(out, tmp_path / "c.json", subjects=upper) == ["a.png", "b.png", "A.PNG"]
    with pytest.raises(pf.UsageError, match=r"would both be 'A\.PNG'"):
        pf.export(out, "masks", tmp_path / "m2", subjects=upper, image_size="50x50")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{image_name}", "unknown placeholder {image_name}; known are {filename}, {subject_id}, {frame}"),
        ("{subject_id:>99}", "unknown placeholder {subject_id:>99}"),
        ("{frame!r}", "unknown placeholder {frame!r}"),
        ("{subject_id.real}", "unknown placeholder {subject_id.real}"),
        ("{}", "unknown placeholder {}"),
        ("{frame", "a brace that is not part of a placeholder is written twice"),
        ("{filename}", "{filename} needs --subjects"),
    ],
)
def test_templates_that_are_refused(template: str, message: str, out: Path, tmp_path: Path) -> None:
    with pytest.raises(pf.UsageError) as error:
        pf.export(out, "coco", tmp_path / "c.json", image_name=template, image_size="50x50")
    assert message in str(error.value)
    assert not (tmp_path / "c.json").exists()


def test_masks_have_the_names_of_their_images(out: Path, tmp_path: Path) -> None:
    metadata = {1: {"1": "left.jpg", "2": "b/right.tif"}, 2: {"1": "cat.JPG"}}
    subjects = subject_export(tmp_path / "s.csv", metadata, {1: 2, 2: 1})
    pf.export(out, "masks", tmp_path / "m", subjects=subjects, image_size="50x50")
    files = sorted(path.relative_to(tmp_path / "m").as_posix() for path in (tmp_path / "m").rglob("*.png"))
    assert files == ["b/right.png", "cat.png", "left.png"]
    lines = (tmp_path / "m" / "labels.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["file"] for line in lines} == set(files)


def test_only_the_ending_of_an_image_is_replaced(out: Path, tmp_path: Path) -> None:
    assert str(file_of("a/cat.v2.JPG", ".png")) == "a/cat.v2.png"
    assert str(file_of("5.1", ".txt")) == "5.1.txt"
    pf.export(out, "masks", tmp_path / "m", image_name="{subject_id}.{frame}", image_size="50x50")
    assert sorted(path.name for path in (tmp_path / "m").glob("*.png")) == ["1.0.png", "1.1.png", "2.0.png"]


@pytest.mark.parametrize(
    "name", [f"{241 * 'x'}.png", "../x.png", "/x.png", "a/../../x.png", "c:\\x.png", "a\nb.png", "a?.png", ""]
)
def test_files_stay_in_their_folder(name: str) -> None:
    with pytest.raises(pf.UsageError, match="cannot be the name of a file"):
        file_of(name, ".png")


def test_the_example_has_its_own_names(tmp_path: Path) -> None:
    data = ROOT / "data"
    pf.run(data / "classifications.csv", tmp_path / "out", data / "config.yaml", engine="shapely", jobs=1)
    pf.export(
        tmp_path / "out",
        "coco",
        tmp_path / "c.json",
        subjects=data / "subjects.csv",
        workflows=data / "workflows.csv",
        image_size="9x9",
        say=lambda _: None,
    )
    content = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert {image["file_name"] for image in content["images"]} <= {
        p.name for p in (data / "images").iterdir()
    }
    assert [category["name"] for category in content["categories"]] == ["Cell", "Crystal"]
