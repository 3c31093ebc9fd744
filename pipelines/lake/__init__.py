"""The tables of a shop, and the engines that compute on them."""
