"""The command line. `main` is the entry; each command has a module, imported when it is used."""
