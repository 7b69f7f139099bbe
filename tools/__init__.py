"""Scripts that serve the repository: Debian packages for tests, virtual machines, checks. Nothing of them ships."""
