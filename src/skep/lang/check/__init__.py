"""Checks on the typed tree, before the kernel's verifier sees the program: None, records, unset variables."""
