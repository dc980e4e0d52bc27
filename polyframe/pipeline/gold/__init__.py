"""Read the outlines of an expert: from a classification export, GeoJSON, COCO, or rows of an output."""
