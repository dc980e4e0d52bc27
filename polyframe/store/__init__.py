"""An output directory: its manifest, its part files, and how a run publishes them."""
