"""Handing tables on in the forms that other programs read; one module for each format."""
