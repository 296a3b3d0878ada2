"""How fast the way of an article is, beside others on the same machine: what `racewire bench` runs.

Ours are the processes that production runs, on the embedded Kafka and Postgres. Figures of a busy machine
tell little: contenders take turns, and what counts are the ratios of one round.
"""
