"""The parts of Mask R-CNN, from which `prcnn` and its relatives are made.

Boxes are float32 (..., 4) everywhere: first row, first column, row and column after the last, in pixels of the
network's input.
"""
