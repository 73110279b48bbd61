"""Karyobench: train, run and fairly compare nucleus-segmentation systems.

The rooms depend on one another in one direction only: datasets, stain, patches, systems, training, inference,
metrics, reporting. `workflow` answers the Snakefile's questions; of the rooms it imports
only what finds readers and systems by name.
"""

VERSION = "0.1.0"
