"""What Great Expectations checks of every night."""
