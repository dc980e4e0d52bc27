"""A notebook shows a subject and the report inline."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from edited_tasks import complete, export_of_squares, exported_tasks, percents, run, write

import polyframe as pf


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebook")
    run(export_of_squares(folder / "e.csv"), folder / "out")
    return folder / "out"


def test_show_is_a_picture_without_files(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = pf.show(out, 1)
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', shown._repr_html_())
    svg = b64decode(data).decode()
    assert svg == shown.svg
    root = ElementTree.fromstring(svg.partition("<svg")[1] + svg.partition("<svg")[2])
    texts = [text for element in root.iter() for text in element.itertext() if element.tag.endswith("text")]
    assert {"agreement", "100%"} <= {text.strip() for text in texts}
    assert [group.tool for group in shown.groups] == ["T0_toolIndex0"]
    assert repr(shown).startswith("<polyframe subject 1>\n  ")
    counting = pf.show(out, 1, scale="count", title="Squares")
    assert "# agreement" in counting.svg
    assert "Squares" in counting.svg
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_shows_marks_averages_agreement_and_majority(out: Path, tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    source = f"import polyframe as pf\npf.show({str(out)!r}, 1)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    (output,) = notebook.cells[0].outputs
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', output["data"]["text/html"])
    svg = b64decode(data).decode()
    for gid, count in {"mark": 12, "average": 2, "agreement": 2, "majority": 2}.items():
        assert svg.count(f'id="{gid}"') == count, gid
    for text in ("Averaged polygons: median", "Agreement: share of the marks", "majority: what more than"):
        assert text in svg


def test_show_has_corrections(out: Path, tmp_path: Path) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[2])[0]["value"]["points"] = percents([[2, 3], [30, 3], [2, 41]])
    before = pf.show(out, 3, show="averages").svg
    pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    assert pf.show(out, 3, show="averages").svg != before
    assert pf.show(out, 3, show="averages", corrections="ignore").svg == before


def test_arguments_that_are_not_valid(out: Path) -> None:
    with pytest.raises(pf.UsageError, match="scale: 'percent' is not one of share, count"):
        pf.show(out, 1, scale="percent")  # type: ignore[arg-type]
    with pytest.raises(pf.PolyframeError, match="77"):
        pf.show(out, 77)
    with pytest.raises(pf.UsageError, match="height: 0 is not a number of pixels"):
        pf.explore(out, height=0)


class _Frame(HTMLParser):
    page = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "iframe":
            self.page = dict(attrs)["srcdoc"] or ""


def test_explore_is_the_page_of_the_report(out: Path, tmp_path: Path) -> None:
    explored = pf.explore(out, title="Squares & more", height=500, say=lambda _: None)
    parser = _Frame()
    parser.feed(explored._repr_html_())
    pf.report(out, tmp_path / "report.html", title="Squares & more", say=lambda _: None)
    assert parser.page == explored.html == (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'height="500"' in explored._repr_html_()
    assert repr(explored).startswith("<polyframe report: 5 clusters")
