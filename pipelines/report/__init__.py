"""What a nightly run reports: the night report in HTML, and tables in the terminal."""
