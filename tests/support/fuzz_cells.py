"""Generate cells for fuzzing: a grammar of nearly valid annotations, real cells, and mutations of both.

Everything comes from the `random.Random` that is handed in: same seed, same cases.
"""

from collections.abc import Sequence
from random import Random
from typing import Final


def words(text: str) -> list[str]:
    """Split a string at blanks, a short way to write a list of strings."""
    return text.split()


TASKS: Final = ("T0", "T0", "T0", "T0", "T1", "T0.0.0", "init", "", "T\\u0030", "\\ud800", "é", "T" * 150)
NUMBERS: Final = (
    *words("0 -0 -0.0 1 2 3.5 1e2 1E+2 1.5e-3 1e9 1000000001 -1e9 1e308 1e400 -1e400 1e-400 -1e-400 5e-324"),
    *words("2.2250738585072011e-308 9007199254740993 18446744073709551616 123456789.123456789"),
    "9" * 30,
    "9" * 400,
    "-" + "9" * 5000,
    "0." + "3" * 60,
)
NO_NUMBERS: Final = (
    *words('null true "1" "1,2" [] [1] {} NaN Infinity -Infinity 01 1. .5 +1 1e - 0x10 1_000 --1'),
    "1 2",
    "",
)
WHOLE: Final = (
    *words('0 0 0 1 2 1.0 3 null -1 2147483647 2147483648 0.5 "0" true [] 1e2 -0 -0.0 1e400 {} 1e-400'),
    "9" * 30,
)
TOOL_TYPES: Final = (
    *words('"freehandLine" "polygon" "bezier" "point" "circle" "freehandSegmentShape" "lasso"'),
    *words('"" null 3 "\\ud800" "a\\u0000b" "=1+2" "é"'),
)
#: Outlines as SVG path data, valid and invalid.
SVG: Final = (
    *('"M 1,2 L 3,4 L 5,7"', '"m1 2 3-4.5 5,6z"', '"M0 0H9V9H0Z"', '"M0,0C1,2,3,4,5,6S7 8 9 9Q1 2 3 4T5,6"'),
    *('"M 1 2"', '""', '" "', '"M1,2L3,4M5,6L7,8"', '"M0 0A1 1 0 0 0 1 1"', '"a.png"', '"M 1e999,0 1,1 0,1"'),
    *('"M 0,0 1"', '"L 1,2 3,4"', "null", "[]", "3", "[[1,2],[3,4],[5,6]]"),
)
#: Possible outlines in unknown formats.
OTHER_FORMS: Final = (
    *('"outline":[[1,2],[3,4],[5,6]]', '"xs":[1,2,3],"ys":[4,5,6]', '"mask":"1,2 3,4 5,6"', '"outline":[]'),
    *('"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}', '"x":1,"y":2,"rgb":[1,2,3]'),
    *('"x":1,"y":2,"r":3', '"x1":1,"y1":2,"x2":3,"y2":4', '"points":[[1,2],[3,4],[5,6]]', '"points":[1,2]'),
    *('"at":"2024-03-01 10:01:00"', '"text":"1 2 3 4 5 6"', '"big":[' + "9" * 400 + ",1,2,3,4,5]"),
)
DETAILS: Final = (
    *words('[] null {} "" 0 [{"value":0}] [{"value":[1,"\\u00e9"]}] ["\\ud83d"] [1e400] [-0.0] [-0] [[]]'),
    *words('[{"task":"T0.0.0"}] [{"task":"T0.0.0"},{"task":"T0.0.1","value":3}] [{"task":["T0.0.0"]}]'),
    *words('{"a":{"b":[1,2.50]}} [{"task":"T0.0.0","value":1,"value":2}]'),
    *words(
        '[{"value":[{"value":"a"},{"value":null}]},{}] [{"task":"T0.0.7","value":{"selection":"\\ud800"}}]'
    ),
    f"[{'9' * 400}]",
    f"[{'9' * 4301}]",
)
ANSWERS: Final = (
    *words('0 1.50 null "text" [0,2] [{"value":"a"}] {"a":1} "\\udc00" [] 1e999'),
    "8" * 400,
)
TOKENS: Final = (
    *(
        word.encode()
        for word in words(
            '[ ] { } , : " \\ 0 9 - + . e E null true false NaN "task" "value" "toolIndex" "points"'
        )
    ),
    *(word.encode() for word in words("\\u0000 \\ud800 [] {} [[[[ }}}} -0 1e999")),
    *(b" ", b"\n", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b'""', b",,"),
)


def any_cell(random: Random, real: Sequence[bytes] = ()) -> bytes:
    """Return a cell: from the grammar or a real one, perhaps mutated."""
    text = random.choice(real) if real and random.random() < 0.25 else _cell(random)
    kind = random.random()
    if kind < 0.5:
        return text
    if kind < 0.55:
        return _bomb(random, text)
    if kind < 0.6 and real:
        other = random.choice(real)
        return text[: random.randrange(len(text) + 1)] + other[random.randrange(len(other) + 1) :]
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        text = mutated(random, text)
    return text


def mutated(random: Random, text: bytes) -> bytes:
    """Return a text in which something is deleted, inserted, replaced, repeated, moved or truncated."""
    at = random.randrange(len(text) + 1)
    end = min(len(text), at + random.choice((1, 1, 2, 5, 20, 100)))
    kind = random.randrange(7)
    if kind == 0:
        return text[:at] + text[end:]
    if kind == 1:
        return text[:at] + random.choice(TOKENS) + text[at:]
    if kind == 2:
        return text[:at] + random.choice(TOKENS) + text[end:]
    if kind == 3:
        return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
    if kind == 4:
        return text[:end] + text[at:]
    if kind == 5:
        to = random.randrange(len(text) + 1)
        rest = text[:at] + text[end:]
        return rest[:to] + text[at:end] + rest[to:]
    return text[:at]


def _bomb(random: Random, text: bytes) -> bytes:
    """Return a text in which something deep or long replaces a number."""
    n = random.choice((30, 200, 900, 1100, 5_000))
    bombs: tuple[bytes, ...] = (
        b"[" * n + b"]" * n,
        b'{"a":' * n + b"1" + b"}" * n,
        b"[" * n,
        b"9" * n,
        b"0." + b"1" * n,
        b'"' + b"a" * n + b'"',
        b",".join([b"1"] * n),
        b",".join([b"{}"] * n),
    )
    at = text.find(random.choice((b"0", b"1", b"2")), random.randrange(len(text) + 1))
    return text[:at] + random.choice(bombs) + text[at + 1 :] if at >= 0 else random.choice(bombs)


def _cell(random: Random) -> bytes:
    space = random.choice(("", "", "", " ", "\n", "\t \r\n"))
    # The probability of something odd; half of the cells are valid.
    odds = random.choice((0.0, 0.0, 0.3, 1.0))
    annotations = [_annotation(random, space, odds) for _ in range(random.choice((0, 1, 1, 1, 2, 3)))]
    for _ in range(random.choice((0, 0, 0, 1, 3))):
        subtask = [
            f'"task":"{random.choice(("T0.0.0", "T0.0.1", "T0"))}"',
            f'"markIndex":{random.choice(WHOLE)}',
            f'"value":{random.choice(ANSWERS)}',
        ]
        annotations.insert(random.randrange(len(annotations) + 1), _object(random, subtask, space))
    if random.random() < 0.03 * odds:
        annotations.append(random.choice(("null", "1", "[]", '{"value":[]}', '{"task":null,"value":[]}')))
    return f"[{f',{space}'.join(annotations)}]".encode()


def _annotation(random: Random, space: str, odds: float) -> str:
    kind = random.random()
    if kind < 0.85:
        marks = [_mark(random, space, odds) for _ in range(random.choice((0, 1, 1, 2, 3, 5)))]
        while random.random() < 0.2 * odds:
            marks.insert(random.randrange(len(marks) + 1), random.choice(NO_NUMBERS[:8]))
        value = f"[{space}{f',{space}'.join(marks)}]"
    elif kind < 0.92:
        value = random.choice(ANSWERS)
    else:
        value = f"[{','.join(random.choices((*NUMBERS, *ANSWERS), k=3))}]"
    task = random.choice(TASKS) if random.random() < odds else random.choice(TASKS[:5])
    if random.random() < 0.05 * odds:
        # A combo task, or something that looks like one.
        inner = [_annotation(random, space, odds) for _ in range(random.choice((0, 1, 2)))]
        inner += [_mark(random, space, odds)] * (random.random() < 0.3)
        value = f"[{f',{space}'.join(inner)}]"
    parts = [f'"task":"{task}"', f'"value":{value}']
    if random.random() < 0.1:
        parts.append(random.choice(('"markIndex":null', '"task_label":"x"', '"taskType":3', '"value":[]')))
    return _object(random, parts, space)


def _mark(random: Random, space: str, odds: float) -> str:
    # Most members of a mark are valid, so that some marks pass the first checks.
    def whole() -> str:
        return random.choice(WHOLE) if random.random() < 0.1 * odds else random.choice("012")

    parts = [f'"{random.choice(("toolIndex", "toolIndex", "tool"))}":{whole()}']
    form = random.random()
    if form < 0.6:
        n = random.choice((0, 1, 2, 3, 4, 4, 5, 9))
        other = random.randrange(6) if random.random() < 0.05 * odds else n
        parts += [
            f'"pathX":{_numbers(random, n, space, odds)}',
            f'"pathY":{_numbers(random, other, space, odds)}',
        ]
    elif form < 0.9:
        points = [_point(random, space, odds) for _ in range(random.choice((0, 1, 2, 3, 4, 5, 6)))]
        parts.append(f'"points":[{f",{space}".join(points)}]')
    elif form < 0.93:
        parts.append(f'"path":{random.choice(SVG)}')
    elif form < 0.96:
        parts.append(random.choice(OTHER_FORMS))
    else:
        parts.append(
            random.choice(('"x":1,"y":2', '"pathX":null', '"points":{}', '"pathX":[1]', '"pathY":"[1]"'))
        )
    if random.random() < 0.03 * odds:
        parts.append(random.choice((*OTHER_FORMS, '"path":"M0 0 1 1 2 0"', '"task":"T1"', '"task":null')))
    if random.random() < 0.5:
        parts.append(f'"frame":{whole()}')
    if random.random() < 0.6:
        parts.append(f'"toolType":{random.choice(TOOL_TYPES if random.random() < odds else TOOL_TYPES[:7])}')
    if random.random() < 0.4:
        parts.append(f'"details":{random.choice(DETAILS if random.random() < odds else DETAILS[:7])}')
    if random.random() < 0.08 * odds:
        parts.append(random.choice(parts))
    if random.random() < 0.05 * odds:
        parts.append(f'"{random.choice(("tool", "frame", "points", "pathX"))}":{random.choice(WHOLE)}')
    return _object(random, parts, space)


def _numbers(random: Random, n: int, space: str, odds: float) -> str:
    return f"[{space}{f'{space},'.join(_number(random, odds) for _ in range(n))}{space}]"


def _point(random: Random, space: str, odds: float) -> str:
    parts = [f'"x":{_number(random, odds)}', f'"y":{_number(random, odds)}']
    if random.random() < 0.03 * odds:
        parts = [*parts[: random.randrange(3)], random.choice(('"z":1', '"x":3', '"y":null'))]
    return _object(random, parts, space)


def _number(random: Random, odds: float) -> str:
    kind = 1 - odds * random.random()
    if kind > 0.15:
        return f"{random.uniform(-50, 900):.{random.randrange(9)}f}"
    if kind > 0.01:
        return random.choice(NUMBERS)
    return random.choice(NO_NUMBERS)


def _object(random: Random, parts: list[str], space: str) -> str:
    random.shuffle(parts)
    return f"{{{space}{f',{space}'.join(parts)}}}"
