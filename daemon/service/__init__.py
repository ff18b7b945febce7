"""The process: it polls, listens by IDLE, syncs, backs off, and tells how it is."""
