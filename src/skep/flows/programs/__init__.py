"""The kernel half of flows: records, and the programs that fill them."""
