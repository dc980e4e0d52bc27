"""`python -m polyframe` is the command `polyframe`."""

from polyframe.cli import main

main()
