"""Export the tables for other programs: `export_output` is the entry, each format has a module."""
