"""The compiler: Python functions to specs of BPF programs; maps, records and programs as values."""
