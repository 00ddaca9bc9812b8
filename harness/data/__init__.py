"""Labelled bytes: cards, fetching, file formats, generators."""
