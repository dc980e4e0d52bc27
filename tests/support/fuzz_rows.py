"""Generate exports for fuzzing, and check the properties that hold for a run over any of them."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from exports import HEADER, Cell, export_row, export_text
from fuzz_cells import mutated, words
from stores import manifest_of

import polyframe as pf
from polyframe.core import reasons
from polyframe.core.tables import TABLES

IDS: Final = (
    *words("abc -5 0 12.0 1e3 9223372036854775807 9223372036854775808 1;2 NaN '7 0x7 \uff11\uff12"),
    *("", " ", " 7 ", "7\n", "\0"),
)
NAMES: Final = (
    *(
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://x")',
        "@SUM(1)",
        "+1",
        "-1+1",
        'a"b',
        "a,b",
        "a\nb",
        "",
        "  ",
    ),
    *("é💥", "\ufeff", "a\0b", "not-logged-in-1", "'; DROP TABLE", "../../x", "a" * 10_000),
)
TIMES: Final = (
    *("", "yesterday", "2026-01-01", "2026-13-45 99:99:99 UTC", "2026-01-01T10:00:00.123+02:00", "-1"),
    *("2026-01-01 10:00:00", "0000-00-00 00:00:00 UTC", "9999-12-31 23:59:59 UTC"),
    *("2026-01-01 10:00:00 +99:99", "99999999-01-01 10:00:00 UTC", "2026-01-01 10:00:00.123456789123 UTC"),
)
VERSIONS: Final = ("", "3", "3.2", "3.10", "x", "3.1.4", "-1", "1e2", "\uff13.1", "3.1 ", "99999999999.1")
ODD: Final = {
    **dict.fromkeys(("classification_id", "subject_ids", "workflow_id", "user_id"), IDS),
    **dict.fromkeys(("user_name", "workflow_name"), NAMES),
    "workflow_version": VERSIONS,
    "created_at": TIMES,
    "gold_standard": ("true", "FALSE", "maybe", "1", ""),
    "metadata": (
        *(
            '{"a":"' + "b" * 999,
            "\0",
            '{"session": "a"}',
            '{"session": "b"}',
            '{"session": {"session": "a"}}',
        ),
        *('{"session": "\ufffd"}', '{"session": ' + "[" * 999, '{"session": "a" "b"}', '["session"]'),
        *(f'{{"subject_dimensions": [{size}]}}' for size in ("null", '{"naturalWidth": 9e9}', "[]")),
        '{"session": 5, "subject_dimensions": [{"naturalWidth": 64, "naturalHeight": 48}]}',
    ),
}
OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"workflow_id": 7},
    {"workflow_id": 7, "workflow_version": "3.1", "filter": "all", "eps": 0.9},
    {"workflow_id": 7, "visitors": "name"},
    {"workflow_id": 7, "workflow_version": "3", "filter": "last", "average_type": "union", "min_samples": 1},
    {"workflow_id": 7, "average_type": "intersection", "engine": "shapely"},
)


def any_export(random: Random, n_rows: int, cell: Callable[[], bytes]) -> tuple[bytes, int | None]:
    """Return an export, and its number of rows or None if that is uncertain."""
    rows = [_row(random, number, cell) for number in range(n_rows)]
    text = export_text(rows).encode()
    kind = random.random()
    if kind < 0.4:
        return text, len(rows)
    if kind < 0.45:
        return text.replace(b"\n", b"\r\n"), None
    if kind < 0.5:
        return b"\xef\xbb\xbf" + text, None
    if kind < 0.55:
        header, _, rest = text.partition(b"\n")
        return mutated(random, header) + b"\n" + rest, None
    header, _, rest = text.partition(b"\n")
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        rest = mutated(random, rest) if random.random() < 0.7 else _broken_quotes(random, rest)
    return header + b"\n" + rest, None


def check_run(export: bytes, n_rows: int | None, options: dict[str, Any], folder: Path) -> str:
    """Run polyframe on an export in a new folder and check that the counts of rows and marks add up.

    Returns
    -------
    str
        The message of the error if polyframe rejects the export, otherwise empty.

    Raises
    ------
    AssertionError
        If a count is wrong, or an error message has several lines.
    """
    path, out = folder / "export.csv", folder / "out"
    path.write_bytes(export)
    try:
        pf.run(path, out, jobs=1, **options)
    except pf.PolyframeError as error:
        message = str(error)
        assert message, "an error without a message"
        assert len(message.splitlines()) == 1, f"an error of several lines: {message!r}"
        assert "add up" not in message, message
        assert not out.exists(), "a failed run left an output directory"
        return message
    counts = manifest_of(out).accounting.to_dict()
    frames = {name: pf.scan(out, name).collect() for name in TABLES}
    rejects, marks = frames["rejects"], frames["extractions"]
    whole_row = rejects["mark_index"].is_null()
    if n_rows is not None:
        assert counts["rows_read"] == n_rows, f"{counts['rows_read']} of {n_rows} rows"
    assert counts["rows_read"] == sum(counts[f"rows_{name}"] for name in ("filtered", "rejected", "used"))
    assert counts["rows_used"] == frames["classifications"].height
    assert counts["rows_rejected"] == whole_row.sum()
    assert counts["marks_undecoded"] == (~whole_row & (rejects["stage"] == "decode")).sum()
    assert counts["marks_rejected"] == (~whole_row).sum()
    assert counts["marks_seen"] == counts["marks_undecoded"] + counts["marks_decoded"]
    assert counts["marks_decoded"] == marks.height == frames["classifications"]["n_marks"].sum()
    fates = ("rejected", "set_aside", "clustered", "outliers")
    assert counts["marks_seen"] == sum(counts[f"marks_{name}"] for name in fates)
    assert counts["marks_clustered"] + counts["marks_outliers"] == frames["labels"].height
    assert counts["groups"] == frames["groups"].height
    assert sum(counts["reasons"].values()) == rejects.height
    assert {*rejects["reason"]} <= {reason.code for reason in reasons.REASONS}
    for name, table in TABLES.items():
        assert frames[name].equals(
            frames[name].sort(
                table.sort_by, nulls_last=[key == "created_at" for key in table.sort_by], maintain_order=True
            )
        )
    return ""


def _row(random: Random, number: int, cell: Callable[[], bytes]) -> dict[str, Cell]:
    draw = random.random()
    annotations = _valid_cell(random)
    if draw < 0.5:
        annotations = "" if draw < 0.02 else cell().decode("utf-8", "replace")
    row = export_row(number, annotations, subject_ids=random.randrange(1, 6))
    row["user_name"] = f"volunteer{random.randrange(12)}"
    for name in HEADER:
        if name in ODD and random.random() < 0.02:
            row[name] = random.choice(ODD[name])
    if random.random() < 0.02:
        row["classification_id"] = random.randrange(1000, 1010)
    return row


def _valid_cell(random: Random) -> str:
    """Return a cell with some overlapping outlines, which can be clustered."""
    marks = []
    for _ in range(random.choice((0, 1, 1, 2))):
        x, y = random.choice((0, 100)) + random.randrange(6), random.randrange(6)
        side = random.choice((0, 20, 21, 22))
        mark = {"toolIndex": 0, "toolType": "freehandLine", "frame": random.choice((0, 0, 0, 1))}
        xs, ys = [x, x + side, x + side, x], [y, y, y + side, y + side]
        if random.random() < 0.15:
            xs[1], xs[2] = xs[2], xs[3]
        marks.append({**mark, "pathX": xs, "pathY": ys})
    return json.dumps([{"task": "T0", "value": marks}])


def _broken_quotes(random: Random, text: bytes) -> bytes:
    """Return a text with an extra or missing quote, or a line of another width."""
    at = text.find(random.choice((b'"', b",", b"\n")), random.randrange(len(text) + 1))
    if at < 0:
        return text
    return (
        text[:at] + random.choice((b"", b'"', b'""', b'"""', b',"', b'\n"', b",,,", b"\n\n")) + text[at + 1 :]
    )
