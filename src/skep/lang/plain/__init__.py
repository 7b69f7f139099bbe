"""Programs as plain Python: the same source, run by the interpreter against a fake kernel, for tests and for thinking.

``kernel.FakeKernel`` holds what a run sees and leaves behind; ``rebuild`` binds a function to it; ``numbers``,
``memory`` and ``maps`` are what the function then works on. Nothing here is global, and nothing asks a real kernel.
"""
