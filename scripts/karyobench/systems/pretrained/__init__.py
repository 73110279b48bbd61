"""Weights that were trained elsewhere: read from their publisher's file, and laid onto our networks."""
