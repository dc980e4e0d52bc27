"""`python -m polyframe` is the command `polyframe`."""

from polyframe.cli.app import main

main()
