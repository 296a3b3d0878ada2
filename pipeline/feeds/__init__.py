"""From a feed's URL to articles: registry, guarded fetch, parse, identity, decision, cadence.

Not here: publishing and remembering (`pipeline.workers.poller`).
"""
