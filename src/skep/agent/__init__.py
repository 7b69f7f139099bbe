"""The agent of a node: it loads programs, reads their rings, and serves what happens on a local API."""
