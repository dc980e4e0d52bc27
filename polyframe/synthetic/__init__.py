"""Synthetic exports with a known truth, and toy clusters that show what settings do."""
