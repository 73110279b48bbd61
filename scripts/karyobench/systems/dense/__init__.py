"""What networks that answer for every pixel share: their blocks, and learning and predicting classes of pixels."""
