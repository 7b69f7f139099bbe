"""Packets for programs: headers as Structs, and functions that a program calls, which are compiled into it."""
