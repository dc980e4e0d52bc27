"""Whether an output directory is whole and right: everything in it is read, one partition at a time.

`files` looks at the files and their footers, `rows` and `outlines` at the rows of one part, `agreement` at
the tables of one partition together, `counting` at the counts. Keys are unique over a whole table where they
are unique within each part and no two parts have a subject in common; both is checked.
"""

from polyframe.store.validation.checking import Checked, check
from polyframe.store.validation.findings import Finding

__all__ = ["Checked", "Finding", "check"]
