"""Measures the scheduler from the receiver's side: `python -m benchmarks`."""
