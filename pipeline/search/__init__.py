"""The search over C and gamma: arrays in, scores out; it knows no setting, no run and no model.

`problem` says what is searched, `units` cuts it into pieces of work, `local` and `cluster` run
them, `checkpoint` keeps what is finished, `strategy` decides which candidates are scored.
"""
