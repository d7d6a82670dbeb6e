"""Programs that nobody here wrote, each with the recipe that a new user would write for it."""
