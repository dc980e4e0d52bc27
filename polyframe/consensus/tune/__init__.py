"""Compare what many values of `eps` and `min_samples` make of the same marks.

`parse_grid` parses the values to compare, `counts` clusters the marks of one partition with every setting on
distances that are computed once, and `table` adds up the counts of all partitions and formats them.
"""
