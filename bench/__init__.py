"""Measurements, each a table with its limit from the same run: `make bench`, or `python -m bench imports`."""
