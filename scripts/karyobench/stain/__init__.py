"""Optical density and stain normalisation."""
