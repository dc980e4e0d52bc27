"""Surveys of pieces, joined in any way, against reading the file byte by byte."""

import random
from dataclasses import replace

import pytest

from polyframe.panoptes.classifications.csv_survey import Survey, survey_block, survey_blocks, surveys_of_file


def read_bytes(content: bytes, in_quotes: bool) -> Survey:
    """Survey some bytes one by one."""
    rows: list[bytes] = []
    row = b""
    quoted_line_ends = False
    for byte in content:
        row += bytes([byte])
        in_quotes ^= byte == ord('"')
        if byte == ord("\n"):
            quoted_line_ends |= in_quotes
            if not in_quotes:
                rows.append(row)
                row = b""
    complete = rows[1:]
    blank = [r for r in complete if r in (b"\n", b"\r\n")]
    return Survey(
        size=len(content),
        ends_in_quotes=in_quotes,
        row_ends=len(rows),
        first=len(rows[0]) if rows else len(content),
        last=len(row),
        quoted_line_ends=quoted_line_ends,
        blank=len(blank),
        short=len([r for r in complete if len(r) < 20]) - len(blank),
        longest=max(map(len, complete), default=0),
        first_ends_with_return=bool(rows) and rows[0].endswith(b"\r\n"),
        ends_with_return=content.endswith(b"\r"),
    )


@pytest.mark.parametrize("seed", range(60))
def test_pieces_of_any_size(seed: int) -> None:
    chance = random.Random(seed)
    weights = (1, chance.choice([0, 0.1, 1]), 0.3, chance.choice([1, 30]))
    content = bytes(chance.choices(b'\n"\rx', weights, k=chance.randint(0, 300)))
    cuts = sorted(chance.randint(0, len(content)) for _ in range(chance.randint(0, 8)))
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    whole = survey_blocks(pieces)
    assert whole.outside == read_bytes(content, in_quotes=False)
    assert whole.inside == read_bytes(content, in_quotes=True)
    # However pieces are joined, the result is the same.
    half = chance.randint(0, len(pieces))
    assert survey_blocks(pieces[:half]) + survey_blocks(pieces[half:]) == whole
    assert survey_block(content) == whole
    # Of a file, the first row counts too.
    *_, of_file = surveys_of_file(map(survey_block, pieces))
    before = read_bytes(b"\n" + content, in_quotes=False)
    assert replace(of_file, size=0, first=0) == replace(before, size=0, first=0)
    assert of_file.rows == before.row_ends - 1 + bool(before.last)
