"""A job scheduler for the terminal: a job is a schedule plus an HTTP request."""

__version__ = "0.1.0"
