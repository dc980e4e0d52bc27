"""Compare outlines with those of an expert: matches, scores, and the table of them."""
