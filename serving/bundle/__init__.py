"""The bundle: a directory of plain arrays that holds everything needed to answer a request."""
