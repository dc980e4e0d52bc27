"""Decode the JSON of annotation cells into marks."""
