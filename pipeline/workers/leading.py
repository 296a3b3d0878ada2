"""One leader, the others standing by: the loop around a lease."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import UnavailableError
from pipeline.store import leases
from pipeline.workers.strategy import LEASE_TTL, process_name, unavailable

log = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0


def lead(engine: Engine, name: str, stop: threading.Event, body: Callable[[leases.Lease], None]) -> None:
    """Run `body` whenever the lease `name` is ours, until `stop` is set.

    `body` holds the lease in its own transactions and returns when `stop` is set; LeaseLostError and
    UnavailableError from it lead back to standing by.
    """
    owner = process_name()
    waiting = False
    while not stop.is_set():
        lease = None
        try:
            lease = _acquire(engine, name, owner)
            if lease:
                log.info("%s: leads (epoch %d)", name, lease.epoch)
                body(lease)
            elif not waiting:
                log.info("%s: another process leads; standing by", name)
        except leases.LeaseLostError as error:
            log.warning("%s: %s; standing by", name, error)
        except UnavailableError as error:
            log.warning("%s: %s; trying again", name, error)
        finally:
            if lease:
                _release(engine, lease)
        waiting = lease is None
        stop.wait(STANDBY_SECONDS)


def _acquire(engine: Engine, name: str, owner: str) -> leases.Lease | None:
    try:
        with engine.begin() as tx:
            return leases.acquire(tx, name, owner, LEASE_TTL)
    except DBAPIError as error:
        raise unavailable(error) from error


def _release(engine: Engine, lease: leases.Lease) -> None:
    try:
        with engine.begin() as tx:
            leases.release(tx, lease)
    except DBAPIError:
        log.info("%s: the lease will expire by itself", lease.name)
