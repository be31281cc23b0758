"""Protocols and file formats as plain bytes: nothing here reads, writes, waits or knows the time."""
