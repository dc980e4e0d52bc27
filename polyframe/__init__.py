"""polyframe: consensus polygons and agreement contours from the drawings of Zooniverse volunteers."""

__version__ = "0.1.0"
