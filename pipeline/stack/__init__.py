"""The embedded servers of a laptop and of the tests: real Apache Kafka, PostgreSQL and Prefect, under one
supervisor.

    supervisor = Supervisor(home, prepare=make_tables_and_topics, apps=workers)
    supervisor.run()                        # in the foreground, until Ctrl-C
    with supervisor.running() as endpoints: # or for the length of a block
        ...

`status`, `endpoints`, `down`, `logs` and `reset` are for everybody else. Nothing here knows what the
servers are for: that is the caller's, who brings the applications. Production has servers of its own, and
none of this.
"""

from pipeline.stack.control import down, logs, reset, spawn_detached
from pipeline.stack.jars import default_cache
from pipeline.stack.prefect import client_env
from pipeline.stack.state import Phase, ServiceStatus, State, Status, endpoints, status
from pipeline.stack.supervisor import Supervisor, print_progress
from pipeline.stack.values import (
    AlreadyRunningError,
    Ended,
    Endpoints,
    Outside,
    Ports,
    Service,
    StackError,
)

__all__ = [
    "AlreadyRunningError",
    "Ended",
    "Endpoints",
    "Outside",
    "Phase",
    "Ports",
    "Service",
    "ServiceStatus",
    "StackError",
    "State",
    "Status",
    "Supervisor",
    "client_env",
    "default_cache",
    "down",
    "endpoints",
    "logs",
    "print_progress",
    "reset",
    "spawn_detached",
    "status",
]
