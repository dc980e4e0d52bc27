"""The limits on the page about untrusted input are those of the code."""

import re
from pathlib import Path

import pytest
from doc_pages import DOCS

from polyframe.core import reasons
from polyframe.panoptes.classifications import csv_repair
from polyframe.panoptes.config import strict_yaml, volunteer_names
from polyframe.panoptes.subjects import fetched_images as fetched
from polyframe.panoptes.subjects import image_files

PAGE = DOCS / "guide" / "security.md"
MEBIBYTE = 1024 * 1024
LIMITS = {
    "one row of an export": f"{csv_repair.LONGEST_ROW_BYTES // MEBIBYTE} MiB",
    "lines of one row": f"{csv_repair._LONGEST_ROW_IN_LINES:,}",
    "rows without a subject, or too short for a row": f"{csv_repair.MOST_UNUSABLE_ROWS:,}",
    "marks of a classification, points of a mark": f"{reasons.MOST_MARKS:,}, {reasons.MOST_POINTS:,}",
    "a configuration": f"{strict_yaml._LARGEST_FILE // 10**6} MB",
    "a file of names of volunteers": f"{volunteer_names._LARGEST_FILE // 10**6} MB",
    "pixels of an image": f"{image_files.LARGEST_PIXELS:,}",
    "bytes of an image file": f"{image_files.LARGEST_BYTES:,}",
    "bytes of an image that is fetched": f"{fetched.LARGEST_DOWNLOAD:,}",
    "seconds to fetch an image": f"{fetched.LONGEST_SECONDS:.0f}",
}


def listed(page: Path) -> dict[str, str]:
    table = page.read_text(encoding="utf-8").partition("| limit | value | why |")[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE))


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_on_the_page(limit: str) -> None:
    assert listed(PAGE)[limit] == LIMITS[limit]


def test_no_limit_on_the_page_is_missing_here() -> None:
    assert listed(PAGE).keys() == LIMITS.keys()
