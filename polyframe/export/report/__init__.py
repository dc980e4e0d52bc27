"""The report: one HTML file about an output directory, which works offline.

`report` makes it. `headline` counts, `chosen` reads the worst clusters and their marks, `outlines` turns
outlines into SVG paths, `backgrounds` knows the images, `content` puts the data of the page together, and
`document` the page, from the files in `page/`.
"""

from typing import Final

#: Clusters that a report shows, unless said otherwise: as many as a person looks at.
LIMIT: Final = 2000
