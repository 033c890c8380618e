"""JSON Schemas of strangers: read so that nothing in them is dangerous, and values checked against them.

`reading` makes a well-formed, finite copy, `checking` checks within a budget, `kinds` says which types fit. Pure; no
reference is ever fetched, no pattern can run for ever.
"""
