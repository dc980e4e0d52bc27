"""Put the words of messages into the singular or plural, by the number of things that they are about."""

from typing import Final

#: Verbs whose form for one thing does not just end in s.
_IRREGULAR: Final = {"are": "is", "do": "does", "have": "has", "may": "may", "were": "was"}


def plural(number: int, noun: str) -> str:
    """Return a noun for a number of things, such as `row` for 1 and `rows` for 0 or 2."""
    return noun if number == 1 else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 row` or `1,204 rows`."""
    return f"{number:,} {plural(number, noun)}"


def agreeing(number: int, phrase: str) -> str:
    """Return what a number of things do: of `need more marks`, `needs more marks` if it is 1."""
    verb, *rest = phrase.split(" ", 1)
    if number == 1:
        verb = _IRREGULAR.get(verb, f"{verb}s")
    return " ".join([verb, *rest])
