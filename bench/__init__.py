"""What the figures in the docs come from: one script each, printing the peer beside us."""
