"""Read subject exports and the images of subjects."""
