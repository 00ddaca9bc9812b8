"""Linear probes: features and labels in, answers and label code lengths out."""
