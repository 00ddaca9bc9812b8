"""Records as tables, pages and words."""
