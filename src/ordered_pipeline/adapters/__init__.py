"""Adapters to devices and services. One module is one extra: import the one you installed."""
