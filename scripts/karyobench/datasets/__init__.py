"""Raw files to one HDF5 schema: sources, readers, ingest, splits."""
