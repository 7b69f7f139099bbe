"""The decorators that make programs of functions: one for each kind, or for kinds that differ in a word."""
