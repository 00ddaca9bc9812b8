"""Preregistered claims: their blocks, tests and verdicts."""
