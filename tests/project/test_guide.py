"""The tutorial notebook: it runs in a fresh kernel, its assertions hold, its stored outputs are current."""

import base64
import io
import re
from typing import Any

import nbformat
import pytest
from exports import ROOT
from nbclient import NotebookClient
from PIL import Image

PATH = ROOT / "docs" / "guide" / "tutorial.ipynb"
Notebook = Any


@pytest.fixture
def stored() -> Notebook:
    return nbformat.read(PATH, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """The notebook after a run in a fresh kernel and an empty folder, where it leaves no files.

    Its cells assert what the text says; an assertion that fails raises.
    """
    folder = tmp_path_factory.mktemp("guide")
    work, temporary = folder / "work", folder / "temporary"
    notebook = nbformat.read(PATH, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    with pytest.MonkeyPatch.context() as patch:
        for variable, path in {
            "TMPDIR": temporary,
            "IPYTHONDIR": folder / "ipython",
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
        }.items():
            path.mkdir()
            patch.setenv(variable, str(path))
        work.mkdir()
        NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(work)}}
        ).execute()
    assert not list(work.iterdir())
    assert not list(temporary.glob("polyframe*"))
    return notebook


def code_cells(notebook: Notebook) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(cell: Any) -> list[Image.Image]:
    images = [output["data"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) for data in images]


def numbers(cell: Any) -> list[float]:
    """Return the numbers that a cell printed, whatever the layout of its tables."""
    texts = [output.get("text") or output["data"].get("text/plain", "") for output in cell.outputs]
    return [float(number) for text in texts for number in re.findall(r"\d+\.?\d*", text)]


def test_the_file_is_tidy(stored: Notebook) -> None:
    nbformat.validate(stored)
    ids = [cell.id for cell in stored.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z-]+", name) for name in ids)
    assert stored.metadata.kernelspec.name == "python3"
    assert PATH.stat().st_size < 1_000_000
    # Timestamps would change with every run.
    assert not [cell.id for cell in stored.cells if "execution" in cell.metadata]


def test_the_file_contains_no_local_paths(stored: Notebook) -> None:
    for cell in code_cells(stored):
        for output in cell.outputs:
            # The letters of an encoded picture may look like a path.
            output.get("data", {}).pop("image/png", None)
    text = nbformat.writes(stored)
    assert str(ROOT) not in text
    assert not re.search(r"(/home|/Users|/root|/tmp|/work|/opt|/usr|[A-Z]:\\\\|site-packages)\b", text)


@pytest.mark.slow
def test_all_cells_were_run_in_order(stored: Notebook, executed: Notebook) -> None:
    for notebook in (stored, executed):
        assert [cell.execution_count for cell in code_cells(notebook)] == [
            *range(1, len(code_cells(notebook)) + 1)
        ]


@pytest.mark.slow
def test_figures_are_drawn(stored: Notebook, executed: Notebook) -> None:
    drawing = [cell.id for cell in code_cells(executed) if "plt.subplots" in cell.source]
    assert len(drawing) == 12
    for notebook in (stored, executed):
        by_cell = {cell.id: pictures(cell) for cell in code_cells(notebook)}
        assert [name for name, images in by_cell.items() if images] == drawing
        for name in drawing:
            (image,) = by_cell[name]
            assert image.width > 300, name
            # An empty figure has hardly any colours but grey.
            assert len([rgb for _, rgb in colours(image) if max(rgb) - min(rgb) > 60]) > 1, name


def colours(image: Image.Image) -> list[Any]:
    return list(image.convert("RGB").getcolors(1 << 24) or [])


@pytest.mark.slow
def test_the_stored_outputs_are_current(stored: Notebook, executed: Notebook) -> None:
    """Only timings differ."""
    compared = 0
    for before, after in zip(code_cells(stored), code_cells(executed), strict=True):
        assert before.source == after.source
        if "timing" in before.metadata.get("tags", []):
            continue
        assert not [output for output in after.outputs if output.output_type == "error"]
        assert not [output for output in after.outputs if output.get("name") == "stderr"], after.id
        if pictures(before):
            # The text output of a figure contains its size in pixels, which depends on fonts.
            continue
        assert numbers(before) == pytest.approx(numbers(after)), before.id
        compared += len(numbers(before))
    assert compared > 50


def test_it_covers_the_main_settings_and_calls(stored: Notebook) -> None:
    text = "\n".join(cell.source for cell in stored.cells if cell.cell_type == "markdown")
    for word in ("union", "intersection", "last", "median", "consensus", "contour", "eps", "min_samples"):
        assert word in text.lower(), word
    sources = "\n".join(cell.source for cell in code_cells(stored))
    for call in ("write_export(", "pf.run(", "pl.scan_parquet(", "duckdb.sql(", "geopandas.read_parquet("):
        assert call in sources, call
