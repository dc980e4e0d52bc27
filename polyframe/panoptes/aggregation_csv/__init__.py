"""Read and write the CSV files of panoptes_aggregation."""
