"""The table of programs that open our files names exactly those that tests run, and those tried by hand."""

import re
from pathlib import Path

from consumers import CONSUMERS
from exports import ROOT

FOLDER = Path(__file__).parent


def test_every_program_has_its_test() -> None:
    for consumer in CONSUMERS:
        if consumer.test is not None:
            path, name = consumer.test.split("::")
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), consumer.program


def test_every_test_has_its_program() -> None:
    tests = {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in FOLDER.glob("test_*.py")
        if path != Path(__file__)
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {consumer.test for consumer in CONSUMERS}
    assert tests <= named, "name the program in tests/support/consumers.py"


def test_every_row_is_another_one() -> None:
    rows = [(consumer.program, consumer.opens) for consumer in CONSUMERS]
    assert len(set(rows)) == len(rows)
    for consumer in CONSUMERS:
        assert re.fullmatch(r"\d[\w.+-]*", consumer.version), consumer.program
