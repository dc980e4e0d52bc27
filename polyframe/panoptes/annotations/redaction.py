"""What the table `rejects` tells of cells that nobody may see: types and positions, never what they hold.

A cell that cannot be read may hold anything, a name too, so only what is known to be our own words is kept.
"""

import re
from typing import Final

#: What is told of a cell that no known words are told of.
NOT_SHOWN: Final = "not shown, as volunteers are not"

_NUMBER: Final = r"[0-9][0-9,]*"
_KEY: Final = "`(?:points|pathX|pathY|path)`"
_TYPES: Final = ("an object", "a list", "a text", "true or false", "null", "a number", "missing")
_TYPE: Final = rf"(?:{'|'.join(_TYPES)})"
#: Details without a value of the cell, whole.
_OWN_WORDS: Final = re.compile(
    rf"the cell is empty|nested too deeply|more than {_NUMBER} characters|{_NUMBER} points"
    rf"|not UTF-8 at byte {_NUMBER}|found {_TYPE}, expected a list of objects with a `task`"
    rf"|entry {_NUMBER} is {_TYPE}, expected an object with a `task`"
    rf"|`task` of entry {_NUMBER} has {_NUMBER} characters, expected a text such as T0"
    rf"|a nested `task` has more than {_NUMBER} characters"
    rf"|{_NUMBER} (?:marks|points), expected at most {_NUMBER}"
    rf"|`points` is {_TYPE}, `pathX` is {_TYPE}, `pathY` is {_TYPE}(?:, `path` is {_TYPE})?"
    rf"|`pathX` has {_NUMBER} numbers, `pathY` has {_NUMBER}|copy of mark {_NUMBER}"
    rf"|{_KEY}(?: and {_KEY})* without a point|`path` draws {_NUMBER} outlines, expected one"
    rf"|`path` is not an SVG path at character {_NUMBER}"
)
#: Details with one value, between words of ours.
_ONE_VALUE: Final = re.compile(
    rf"(found |`task` of entry {_NUMBER} is |`(?:tool|toolIndex|frame)` is |[xy] of point {_NUMBER} is "
    r"|a coordinate is |`points` has )(.+?)(, expected (?:an object|a text such as T0|a whole number|a number"
    r"|objects with x and y))?",
    re.DOTALL,
)
#: Details of which the beginning is ours, and what is told instead of them.
_BEGINNINGS_OF_OURS: Final = {
    "its keys are ": "its keys are not those of an outline",
    "`path` has ": "`path` is not an SVG path of one outline",
    "`path` begins with ": "`path` is not an SVG path of one outline",
}
_ANSWERS: Final = re.compile(rf"(copy of mark {_NUMBER}; its answers).*", re.DOTALL)
_NOT_JSON: Final = re.compile(rf".* at character ({_NUMBER})", re.DOTALL)
#: How a value begins, as Python shows it.
_BEGINNINGS: Final = {"'": "a text", '"': "a text", "[": "a list", "{": "an object", "-": "a number"}


def redact_detail(detail: str) -> str:
    """Return a detail of a reject without what stands in the cell.

    Parameters
    ----------
    detail : str
        From `polyframe.panoptes.annotations.decode` or `polyframe.consensus.extract`.

    Returns
    -------
    str
        Values give way to their type, such as `frame is a text, expected a whole number`; `NOT_SHOWN` for
        what is not among the known forms.
    """
    if _OWN_WORDS.fullmatch(detail):
        return detail
    if found := _ONE_VALUE.fullmatch(detail):
        return f"{found[1]}{_type_of(found[2])}{found[3] or ''}"
    if found := _ANSWERS.fullmatch(detail):
        return f"{found[1]} are lost"
    for beginning, told in _BEGINNINGS_OF_OURS.items():
        if detail.startswith(beginning):
            return told
    if found := _NOT_JSON.fullmatch(detail):
        return f"not JSON at character {found[1]}"
    return NOT_SHOWN


def _type_of(value: str) -> str:
    if value in _TYPES or value in ("nan", "inf", "-inf"):
        return value
    if value in ("True", "False"):
        return "true or false"
    known = _BEGINNINGS.get(value[0], "a value")
    return "a number" if value[0] in "0123456789" else known
