"""Container runtimes, asked over their own sockets: container id -> name, image, pod. Asynchronous.

Lives in the agent's event loop. Entered by ``directory``; a runtime that hangs costs nobody else.
"""
