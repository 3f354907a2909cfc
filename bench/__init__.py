"""Benchmarks of fastfm_c: ``python -m bench predict`` from the root of the repository."""
