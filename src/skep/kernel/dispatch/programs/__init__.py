"""The kernel half of the dispatcher."""
