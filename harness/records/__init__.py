"""Records of jobs: their classes, their one JSON form, and the folder that holds them."""
