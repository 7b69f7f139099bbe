"""What every layer stands on: errors, units, the clock, configuration, paths, lazy imports."""
