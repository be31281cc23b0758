"""A Telnyx that runs here: the model of a call, what it hears and is told, and the ways to reach it."""
