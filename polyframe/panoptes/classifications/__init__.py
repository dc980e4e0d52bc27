"""Read classification exports: files, rows, workflows and versions."""
