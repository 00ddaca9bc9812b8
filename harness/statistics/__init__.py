"""Statistics: arrays in, numbers out, random state passed in."""
