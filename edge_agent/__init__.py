"""Data acquisition on the gateway: sources, the outbox that keeps every frame, and the link to the host."""
