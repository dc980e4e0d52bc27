"""Corrections: polygons that people edited in another program come back into an output directory.

`import_corrections` is the entry. `read_labelstudio` and `read_coco` read what these programs write as an
`EditedFile`, `match_clusters` finds the cluster of each polygon, and what was read and not used is counted by
`polyframe.pipeline.gold.project.Skipped`.
"""
