"""What happens: records, rings drained to batches, and what leads them to other processes.

``record`` describes an event once, ``drain`` reads rings, ``batch`` is what moves, ``blocks`` moves
it to another process, ``json`` and ``arrow`` are the edges. Logic works on memory that it is given;
live kernel objects are Protocols (``live``).
"""
