"""The servers that `nightshelf up` runs on one machine, under one supervisor."""
