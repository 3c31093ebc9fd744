"""What is learned, each into arrays of the bundle."""
