"""Plain values that several packages share; no I/O, no kernel, no runtime."""
