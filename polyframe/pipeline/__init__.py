"""Run the stages over all partitions of an export."""
