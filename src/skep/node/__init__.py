"""Who did it on this machine: processes, containers, users. Entered by its modules."""
