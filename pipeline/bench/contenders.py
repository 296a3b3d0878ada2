"""What ours is compared with, each a process of its own: `python -m pipeline.bench.contenders NAME [COUNT]`.

They take servers and topic prefix from the settings, as a worker does. None of them keeps what ours promises.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
from psycopg.sql import SQL, Composed, Identifier, Placeholder
from psycopg.types.json import Jsonb
from sqlalchemy import make_url

from pipeline import settings as configuration
from pipeline.assets import classifier
from pipeline.bench.articles import stock
from pipeline.store.database import table_of
from pipeline.store.models import ArticleRow, AssessmentRow, RevisionRow, SightingRow
from schemas.messages import Article, Assessment
from schemas.topics import ARTICLES, topics

_WARM = 200  # articles assessed before the clock starts

Row = dict[str, Any]


def bare() -> None:
    """kafka-python, decode, and COPY of an article's columns into the three tables that have them."""
    from kafka import KafkaConsumer

    settings, bootstrap, url = _servers()
    consumer = KafkaConsumer(
        topics(settings.topic_prefix)[ARTICLES].name,
        bootstrap_servers=bootstrap,
        group_id=f"{settings.topic_prefix}bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=settings.batch,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    decoder = msgspec.json.Decoder(Article)
    with psycopg.connect(url) as connection:
        while True:
            polled = consumer.poll(timeout_ms=200)
            rows = [_columns(decoder.decode(r.value)) for records in polled.values() for r in records]
            if not rows:
                continue
            with connection.cursor() as cursor:
                for table, columns in _COPIED:
                    with cursor.copy(_copy(table, columns)) as copy:
                        for row in rows:
                            copy.write_row([row[name] for name in columns.values()])
            connection.commit()
            consumer.commit()


def obvious() -> None:
    """FastStream: a handler a message that assesses it and upserts article and verdict, in one statement."""
    from faststream import FastStream
    from faststream.kafka import KafkaBroker

    settings, bootstrap, url = _servers()
    subject, statement = classifier(), _upsert()
    broker = KafkaBroker(bootstrap)

    async def run() -> None:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True)

        async def handle(body: dict[str, Any]) -> None:
            article = msgspec.convert(body, Article)
            await connection.execute(statement, _columns(article) | _verdict(subject.assess(article)))

        broker.subscriber(
            topics(settings.topic_prefix)[ARTICLES].name,
            group_id=f"{settings.topic_prefix}obvious",
            auto_offset_reset="earliest",
        )(handle)
        await FastStream(broker).run()

    asyncio.run(run())


def assess(count: int) -> None:
    """`assess` alone over so many articles; says seconds, CPU seconds and peak in bytes, as JSON."""
    subject, articles = classifier(), stock(count + _WARM).articles
    for article in articles[:_WARM]:
        subject.assess(article)
    gc.collect()
    gc.freeze()  # as a worker does
    clock, cpu = time.perf_counter(), time.process_time()
    for article in articles[_WARM:]:
        subject.assess(article)
    took = {"seconds": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps(took | {"peak": peak}))


def _servers() -> tuple[configuration.Settings, str, str]:
    """The settings, Kafka's address and Postgres', without SQLAlchemy's name of its driver."""
    settings = configuration.load()
    servers = configuration.servers(settings)
    url = make_url(servers.database_url.get_secret_value()).set(drivername="postgresql")
    return settings, servers.broker.bootstrap, url.render_as_string(hide_password=False)


def _columns(a: Article) -> Row:
    row = msgspec.structs.asdict(a)
    return row | {"feed_id": a.feed.id, "feed_kind": a.feed.kind, "feed_rank": a.feed.rank}


_ARTICLE = [c.name for c in table_of(ArticleRow).columns if c.server_default is None]
# Table, and for each of its columns the article's that fills it.
_COPIED = (
    (ArticleRow, {name: name for name in _ARTICLE}),
    (RevisionRow, {c.name: c.name for c in table_of(RevisionRow).columns}),
    (SightingRow, {"article_id": "article_id", "feed_id": "feed_id", "url": "url", "seen_at": "observed_at"}),
)


def _verdict(found: Assessment) -> Row:
    return {
        "version": 1,
        "classifier": found.classifier,
        "label": found.relevance.label,
        "body": Jsonb(found, dumps=msgspec.json.encode),
    }


def _names(columns: list[str]) -> Composed:
    return SQL(", ").join(map(Identifier, columns))


def _copy(model: type[Any], columns: dict[str, str]) -> Composed:
    table = Identifier(table_of(model).name)
    return SQL("COPY {} ({}) FROM STDIN").format(table, _names(list(columns)))


def _upsert() -> Composed:
    verdict = [c.name for c in table_of(AssessmentRow).columns if c.server_default is None]
    article, assessment = (_insert(ArticleRow, _ARTICLE), _insert(AssessmentRow, verdict))
    return SQL("WITH article AS ({}) {}").format(article, assessment)


def _insert(model: type[Any], columns: list[str]) -> Composed:
    return SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (article_id) DO UPDATE SET {}").format(
        Identifier(table_of(model).name),
        _names(columns),
        SQL(", ").join(map(Placeholder, columns)),
        SQL(", ").join(SQL("{0} = excluded.{0}").format(Identifier(name)) for name in columns),
    )


CONTENDERS: dict[str, Callable[..., None]] = {"bare": bare, "obvious": obvious, "assess": assess}

if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](*map(int, sys.argv[2:]))
