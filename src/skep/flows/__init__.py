"""What passes and what is dropped on this node: connections and packets, by who and why."""
