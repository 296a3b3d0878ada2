"""`python -m pipeline.cli` is `racewire`."""

from pipeline.cli import main

main()
