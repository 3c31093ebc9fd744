"""The hyper-parameter search: candidates, trials, and the choice among them."""
