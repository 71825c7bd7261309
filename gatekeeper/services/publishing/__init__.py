"""Publishing: release folders (folder, releases) and models with their revisions (revisions)."""
