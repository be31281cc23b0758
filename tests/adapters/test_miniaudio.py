"""What speaker and microphone share: against a real sound server, and without one."""
