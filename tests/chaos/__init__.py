"""The chaos harness: the whole product under load, with everything in it killed, stopped and cut at random.

    make chaos KILLS=20 SEED=1

`load` and `plan` make a course out of its seed: what is published, and after how many records what is hit.
`stage` has the processes, `faults` hits them, `course` runs a course, `report` tells how it went. `reading`,
`checker` and `likeness` judge what is there afterwards with code of their own: they import nothing of the
product, so that no error of its is made twice (the linter sees to that).
"""
