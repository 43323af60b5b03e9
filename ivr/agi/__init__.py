"""The FastAGI edge: bytes, one session per call, the server."""
