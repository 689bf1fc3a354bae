"""The Document Repository actor and the backing image repository: bytes and images."""
