"""Images of a report and of a plot from their addresses, and by a pattern of paths."""

from collections.abc import Callable
from pathlib import Path

import pytest
from exports import Done
from pages import DATA, page_of
from web_server import WebServer

import polyframe as pf

Call = Callable[..., Done]


def test_a_report_and_a_plot_with_fetched_images(
    web: WebServer, example: Path, tmp_path: Path, polyframe: Call
) -> None:
    subjects = (DATA / "subjects.csv").read_text(encoding="utf-8").replace("images/", f"{web.url}/")
    (tmp_path / "subjects.csv").write_text(subjects, encoding="utf-8")
    for image in (DATA / "images").iterdir():
        web.serve(f"/{image.name}", image.read_bytes())
    web.files["/1000003-1.png"].content = b"damaged"
    given = ("--subjects", tmp_path / "subjects.csv", "--fetch", "--cache", tmp_path / "cache")
    done = polyframe("report", example, *given, "-o", tmp_path / "x.html")
    assert (done.code, done.out) == (
        0,
        f"{tmp_path}/x.html: 36 clusters of 12 subjects, 15 images, 1 image missing\n",
    )
    assert done.err.startswith(
        f"polyframe: subject 1000003, frame 1: {web.url}/1000003-1.png: cannot be read as"
    )
    assert len(done.err.splitlines()) == 1
    page = page_of(tmp_path / "x.html")
    assert sum((a.get("id") or "").startswith("image-") for a, _ in page.of("script")) == 15
    requests = len(web.requests)
    done = polyframe("plot", example, "--subject", 1000003, *given, "-o", tmp_path / "x.png")
    assert (done.code, len(done.err.splitlines()), len(web.requests)) == (0, 1, requests + 1)
    # The same by a pattern, without the subject export.
    pattern = f"{DATA}/images/{{subject_id}}-{{frame}}.png"
    progress: list[tuple[int, int]] = []
    reported = pf.report(example, tmp_path / "y.html", images=pattern)
    assert (reported.images, reported.images_missing) == (16, 0)
    groups = pf.plot.read_groups(example, 1000003)
    assert sorted(pf.plot.read_images(groups, images=pattern)) == [0, 1]
    with pytest.warns(pf.PolyframeWarning, match="frame 1"):
        read = pf.plot.read_images(
            groups, subjects=tmp_path / "subjects.csv", fetch=True, cache=tmp_path / "cache"
        )
    assert list(read) == [0]
    pf.report(
        example,
        tmp_path / "z.html",
        subjects=tmp_path / "subjects.csv",
        fetch=True,
        cache=tmp_path / "other",
        say=print,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert progress == [(done, 16) for done in range(17)]
