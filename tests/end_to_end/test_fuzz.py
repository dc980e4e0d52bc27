"""Run some thousand cases of the fuzzer; `python benchmarks/fuzz.py` runs any number."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from exports import ROOT
from fuzz_cells import any_cell
from fuzz_checks import SETTINGS, check_cells
from fuzz_rows import OPTIONS, any_export, check_run

from polyframe.panoptes.annotations import decode, read_cells
from polyframe.panoptes.annotations.mark_rules import Mark
from polyframe.pipeline import merge_records
from polyframe.store.run_counts import Accounting

MARK = '{"toolIndex":0,"pathX":[0,1,1],"pathY":[0,0,1]%s}'
#: Cells that once failed in the fuzzer, shortened.
FIXED_CELLS = {
    "minus zero": '[{"task":"T0","value":[{"toolIndex":0,"pathX":[-0,1,1],"pathY":[0,-0.0,-1e-400]}]}]',
    "minus zero beside an invalid entry": f'[{{"task":"T0","value":[1,{MARK % ""},{MARK % ""}]}}]'.replace(
        "[0,0,1]", "[-0,0,-0.0]", 1
    ),
    "integers of 301 to 4300 digits in details": "[{"
    f'"task":"T0","value":[{MARK % f""","details":[{"9" * 301},{"9" * 4300}]"""}]}}]',
    "the same beside an invalid entry": "[{"
    f'"task":"T0","value":[1,{MARK % f""","details":[{"9" * 301},{"9" * 4300}]"""}]}}]',
    "details of one digit": f'[{{"task":"T0","value":[{MARK % ""","details":9"""}]}}]',
    "invalid UTF-8 in a key that is skipped": b'[{"\xff":0,"task":"T0","value":[]}]',
    "invalid UTF-8 in a value that is skipped": b'[{"task":"T0","task_label":"\xe2d","value":[]}]',
}


@pytest.fixture(scope="module")
def real() -> Iterator[list[bytes]]:
    limit = csv.field_size_limit(2**31 - 1)
    with (ROOT / "data" / "classifications.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["annotations"].encode() for row in csv.DictReader(file)]
    yield [cell for cell in cells if len(cell) < 4000]
    csv.field_size_limit(limit)


@pytest.mark.parametrize("name", FIXED_CELLS)
def test_cells_that_once_failed(name: str) -> None:
    for settings in SETTINGS:
        check_cells([FIXED_CELLS[name]], settings)


@pytest.mark.parametrize("seed", range(6))
def test_every_mark_of_any_cell_is_accounted_for(seed: int, real: list[bytes]) -> None:
    random = Random(f"cells {seed}")
    for settings in SETTINGS:
        check_cells([any_cell(random, real) for _ in range(50)], settings)


@pytest.mark.parametrize("seed", range(10))
def test_every_row_of_any_export_is_accounted_for(seed: int, real: list[bytes], tmp_path: Path) -> None:
    random = Random(f"rows {seed}")
    export, n_rows = any_export(random, 60, lambda: any_cell(random, real))
    check_run(export, n_rows, OPTIONS[seed % len(OPTIONS)], tmp_path)


def test_the_fuzzer_generates_most_kinds_of_cells(real: list[bytes]) -> None:
    random = Random("kinds")
    cells = [any_cell(random, real) for _ in range(1000)]
    decoded = decode.decode_annotations(cells, SETTINGS[1])
    assert len({*decoded.marks.row}) > 150
    assert len({*decoded.rejects.reason}) >= 9


# The checks detect faults


def lost(marks: list[Mark] | None) -> list[Mark] | None:
    return marks and marks[:-1]


def moved(marks: list[Mark] | None) -> list[Mark] | None:
    return marks and [mark._replace(mark_index=mark.mark_index + 1) for mark in marks]


def misread(marks: list[Mark] | None) -> list[Mark] | None:
    return marks and [mark._replace(x=mark.y, y=mark.x) for mark in marks]


@pytest.mark.parametrize("fault", [lost, moved, misread])
@pytest.mark.parametrize("name", ["decode_cell_fast", "decode_cell"])
def test_faults_of_a_decoder_are_detected(
    name: str, fault: Callable[[Any], Any], real: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random("faults")
    cells = [any_cell(random, real) for _ in range(300)]
    original = getattr(read_cells, name)

    def faulty(*arguments: Any) -> Any:
        result = original(*arguments)
        return fault(result) if name == "decode_cell_fast" else (fault(result[0]), result[1])

    check_cells(cells, SETTINGS[1])
    monkeypatch.setattr(read_cells, name, faulty)
    with pytest.raises(AssertionError):
        check_cells(cells, SETTINGS[1])


def test_a_lost_row_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export, n_rows = b"", None
    for seed in range(100):
        export, n_rows = any_export(Random(seed), 20, lambda: b"[]")
        if n_rows is not None:
            break
    monkeypatch.setattr(Accounting, "rows_add_up", lambda _: True)
    total = merge_records.total

    def total_without_a_row(*arguments: Any) -> Accounting:
        counts = total(*arguments)
        return msgspec.structs.replace(counts, rows_used=counts.rows_used - 1)

    monkeypatch.setattr(merge_records, "total", total_without_a_row)
    with pytest.raises(AssertionError):
        check_run(export, n_rows, {"workflow_id": 7}, tmp_path)
