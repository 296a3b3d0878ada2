"""Kafka: topics from their files, one way to publish, the one consumer loop, and reading a range.

Not here: what a record means (`schemas.codec`) and where offsets are kept (`pipeline.store`).
"""
