"""Frames in, frames out: marks, clusters, averages, contours."""
