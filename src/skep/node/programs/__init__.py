"""The kernel half of node: records of processes, and the programs that fill them."""
