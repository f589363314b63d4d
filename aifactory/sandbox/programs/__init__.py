"""Programs that run in the cage, by the project's own interpreter: they import nothing of ours."""
