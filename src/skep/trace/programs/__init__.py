"""The kernel half of trace: records, and the programs that fill them."""
