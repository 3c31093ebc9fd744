"""What measured the figures that the README states; `make bench` runs it all."""
