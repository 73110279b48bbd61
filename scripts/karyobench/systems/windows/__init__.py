"""What classifiers of the window around each pixel share: their networks, how they learn, how they read an image."""
