"""Benchmarks: every figure beside its anchor in the same run. `make bench`; see bench/README.md."""
