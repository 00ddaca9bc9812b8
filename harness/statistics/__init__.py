"""Statistics: numbers in, numbers out, random state passed in."""
