"""Everything that knows the Zooniverse export format.

- `config`: the YAML files of Panoptes, as settings (with `extractor_config`, `yaml_text`, `yaml_values`)
- `versions`: workflow versions, compared as versions
- `sources`: the classification exports, CSV or Parquet (with `export`, `parquet_exports`, `unpacking`,
  `mending`, `cells`, `rows`, `selection`)
- `annotations`: the JSON of `annotations` cells, as marks (arrays over a whole partition)
- `plain_cells`: the fast reader of cells without surprises
- `any_cells`: the reader of all other cells; why a mark cannot be used
- `mark_rules`: what both readers share: which marks are wanted, and what they are called and hold
- `coordinates`: flat coordinate arrays from the paths of many marks
- `bezier`: Bezier curves from control points
"""
