"""Builds the images of Highsea; see README.md."""
