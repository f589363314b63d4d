"""The formats of answers, one module for each, and what they are read with: fences, hunks."""
