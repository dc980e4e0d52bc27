"""The report: one HTML file about an output directory, which works offline.

`report` makes it. `headline` counts, `chosen` reads the worst clusters and their marks, `outlines` turns
outlines into SVG paths, `backgrounds` knows the images, `content` puts the data of the page together, and
`document` the page, from the files in `page/`.
"""
