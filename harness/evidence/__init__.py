"""Evidence for an association over compressors: numbers in, numbers and one word out."""
