"""Load the tables of an output directory into a warehouse, replacing only the parts that differ."""
