"""The compiled engine: loops over coordinates, compiled by numba."""
