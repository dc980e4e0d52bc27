"""The same marks clustered with many settings, to choose one: `polyframe tune`.

`values` reads what is to be compared, `counting` clusters the marks of one partition with every setting on
distances that are computed once, `gathering` goes through an output directory, and `table` puts the numbers
of all partitions together and prints them.
"""
