"""Read and write the YAML configuration files of Panoptes."""
