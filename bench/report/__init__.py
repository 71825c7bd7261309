"""What becomes of figures: JSON in bench/results, a table and a picture in docs/performance.md."""
