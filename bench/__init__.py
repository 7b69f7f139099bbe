"""Benchmarks: ``python -m bench NAME``. A bench is a module with ``measure(quick)``; its docstring tells of it."""
