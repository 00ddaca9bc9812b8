"""Published tables of others, recomputed by the protocols of their authors."""
