"""Read and write the Zooniverse (Panoptes) formats.

- `classifications`: classification exports, CSV or Parquet: opening, repairing and choosing rows
- `annotations`: the JSON of `annotations` cells as marks
- `config`: Panoptes YAML files and the workflow export from which they are written
- `subjects`: subject exports and the images of subjects
- `aggregation_csv`: the CSV files of panoptes_aggregation
"""
