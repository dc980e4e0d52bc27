"""The report: one HTML file about an output directory, which works offline.

`write_report` is the entry. `key_figures` computes the numbers at the top, `worst_clusters` reads the
clusters and their marks, `backgrounds` the images, `majority_lines` computes the lines on heat maps that no
table contains, `svg_outlines` turns outlines into SVG paths, `page_data`
collects the data of the page, and `page_html` fills in the page from the files in `page/`.
"""

from typing import Final

#: Clusters shown by default: as many as a person looks at.
LIMIT: Final = 2000
