"""Run functions on workers: threads and processes of this machine, a Dask cluster, or a Ray cluster."""
