"""The second tower: from a stored dataset to numbers. NumPy, SciPy and xarray; never torch."""
