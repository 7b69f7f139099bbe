"""What skep ships for tests: fakes, fixtures, a pytest plugin and one for mypy. Nothing of the product imports it."""
