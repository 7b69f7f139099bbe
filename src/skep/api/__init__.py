"""The local API of an agent: HTTP/1.1 on a socket file, Prometheus metrics, and a client of both."""
