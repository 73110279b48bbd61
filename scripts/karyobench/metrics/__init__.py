"""Sufficient counts per image, and the scores derived from them."""
