"""The front end: Python source and captured objects to a typed tree. It asks no kernel and emits nothing."""
