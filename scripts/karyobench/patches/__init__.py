"""Training patches: tiles, crops, oversampling, packing, augmentation."""
