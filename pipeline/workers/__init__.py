"""The processes: wiring of the rooms, and the transaction in which a batch's results and offsets stand."""
