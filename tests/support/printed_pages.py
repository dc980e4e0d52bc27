"""Read the text of printed reports, and the clusters on them."""

import json
import re
import subprocess
import unicodedata
from typing import Final

_READ: Final = """
import io, json, sys
from pypdf import PdfReader
pages = PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages
print(json.dumps([page.extract_text() for page in pages]))
"""
#: The heading of a card.
CARD: Final = re.compile(r"Subject (\d+), cluster (\d+)")


def texts_of_pages(pdf: bytes, python: str) -> list[str]:
    """Return the text of each page, read by a Python that has pypdf."""
    done = subprocess.run([python, "-c", _READ], input=pdf, capture_output=True, check=True)
    # Browsers write some pairs of letters as one.
    return [unicodedata.normalize("NFKC", page) for page in json.loads(done.stdout)]


def cards_of(pages: list[str]) -> list[tuple[int, int]]:
    """Return the subject and the label of each printed card."""
    return [(int(subject), int(label)) for page in pages for subject, label in CARD.findall(page)]
