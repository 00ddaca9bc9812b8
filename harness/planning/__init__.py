"""Planning: suites, preregistration, and the jobs of a run."""
