"""How shops write numbers and times."""
