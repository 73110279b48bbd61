"""Karyobench: train, run and fairly compare nucleus-segmentation systems.

The rooms depend on one another in one direction only: datasets, stain, patches, systems, training, inference,
metrics, reporting. `workflow` answers the Snakefile's questions and imports none of them.
"""

VERSION = "0.1.0"
