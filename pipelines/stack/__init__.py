"""The servers that `nightshelf up` and `nightshelf cluster` run on one machine, under one supervisor."""
