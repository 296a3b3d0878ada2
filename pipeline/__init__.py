"""The rooms of the pipeline: `docs/architecture.md` says what each is for and which may import which."""
