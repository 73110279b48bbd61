"""Optical density and stain normalisation."""

PARAMETERS = {
    "macenko": {"beta": 0.15, "alpha": 1},
    "vahadane": {"beta": 0.15, "sparsity": 0.1},
    "reinhard": {},
}
"""What a stain's record must say for each method, with the papers' values."""
