"""Validate an output directory: read all of it, one partition at a time, and list the problems.

`validate` is the entry. `check_files` looks at the files and their footers, `check_rows` and
`check_geometry` at the rows of one part, `check_agreement` and `check_volunteers` at the tables of one
partition together, and `check_counts` at the counts. A key is unique in a table if it is unique in each part
and no two parts share a subject; both are checked.
"""

from polyframe.store.validation.finding import Finding, Findings
from polyframe.store.validation.validate_output import validate

__all__ = ["Finding", "Findings", "validate"]
