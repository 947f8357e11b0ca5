"""What becomes of networks as files: whether they convert, answer alike, and are timed as others time them."""
