"""Tile-by-tile prediction and the merging of tiles."""
