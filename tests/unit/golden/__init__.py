"""Bytes of events as they lie in streams: what later releases must go on reading."""
