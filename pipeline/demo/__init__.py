"""The demo's newsroom: sagas as data, served as feeds on loopback, and what their summary must find.

Nothing in the pipeline knows of it: it polls these feeds like any other.
"""
