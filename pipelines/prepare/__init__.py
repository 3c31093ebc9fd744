"""From checked orders to the tables that models are trained on."""
