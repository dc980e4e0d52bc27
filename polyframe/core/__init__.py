"""Errors, settings, tables and other definitions that every layer shares."""
