"""The search over hyper-parameters: candidates, trials, and the choice among them."""
