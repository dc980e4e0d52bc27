"""Find images in a folder, by a pattern of paths, or at their addresses."""

from pathlib import Path

import pytest

from polyframe.core.errors import UsageError
from polyframe.export.subject_images import find_images, image_options
from polyframe.panoptes.subjects.subject_export import Subject

NAMED = {
    7: Subject(7, {"image_1": "cat.png", "image_2": "../../dog.png"}, {0: "http://x/a", 1: "http://x/b"})
}


def found(images: Path | str, subjects: dict[int, Subject] | None = None) -> dict[tuple[int, int], Path]:
    options = image_options(images, None, fetch=False, has_subjects=subjects is not None)
    return find_images([(7, 0), (7, 1), (8, 0)], subjects or {}, options, print)


def test_a_pattern_needs_no_subject_export(tmp_path: Path) -> None:
    for name in ("7-0.jpg", "7-1.jpg", "8-1.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "0.png").touch()
    assert found(tmp_path / "{subject_id}-{frame}.jpg") == {
        (7, 0): tmp_path / "7-0.jpg",
        (7, 1): tmp_path / "7-1.jpg",
    }
    assert found(tmp_path / "{subject_id}" / "{frame}.png") == {(8, 0): tmp_path / "8" / "0.png"}


def test_names_in_the_metadata_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "photos" / "7").mkdir(parents=True)
    for path in ("photos/7/cat.png", "dog.png", "photos/dog.png"):
        (tmp_path / path).touch()
    pattern = f"{tmp_path}/photos/{{subject_id}}/{{filename}}"
    # ../../dog.png would be beside photos.
    assert found(pattern, NAMED) == {(7, 0): tmp_path / "photos" / "7" / "cat.png"}
    folder = tmp_path / "{frame}"
    folder.mkdir()
    (folder / "cat.png").touch()
    # A folder of such a name is no pattern.
    assert found(folder, NAMED) == {(7, 0): folder / "cat.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "x/{subject}.png"}, "images: unknown placeholder {subject}; known are {filename}"),
        ({"images": "x/{subject_id.png"}, "images: "),
        ({"images": "x/{filename}"}, "images: {filename} needs --subjects"),
        ({"images": "."}, "--images needs --subjects"),
        ({"fetch": True}, "--fetch needs --subjects"),
        ({"fetch": True, "images": ".", "has_subjects": True}, "choose one of --images and --fetch"),
        ({"cache": "x", "has_subjects": True}, "--cache needs --fetch"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, object], message: str) -> None:
    given = {"images": None, "cache": None, "fetch": False, "has_subjects": False, **options}
    with pytest.raises(UsageError) as raised:
        image_options(**given)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)
