"""A store as it is after years, made by a few statements, for what depends on its size.

Made-up words and names. News comes evenly, so that more articles mean a longer past and recent days are
alike in every size. What Postgres would have noticed by itself is told it (`VACUUM`, `ANALYZE`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

FEEDS = 200

# Sizes are those of real articles: a text of 1 kB, a verdict of 1.5 kB.
_MADE = """
CREATE TEMP TABLE made AS
SELECT n, at, luck, label, actor, feed, other, substr(md5('a' || n), 1, 24) AS id, core / 3 AS story,
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS iso,
    'Model ' || (core / 18) AS product,
    'Word of ' || actor || ' and its model, number ' || n AS title,
    'https://news.example/' || md5('u' || n) AS url
FROM (
    SELECT *, count(*) FILTER (WHERE label = 'core') OVER (ORDER BY n) AS core,
        -- A few are everywhere, many are rare.
        'actor-' || floor(40 * power(('x' || substr(md5('s' || n / 20), 1, 4))::bit(16)::int / 65536.0, 3))
            AS actor
    FROM (
        SELECT n, luck,
            CASE WHEN luck < :core THEN 'core' WHEN luck < 1 - :none THEN 'peripheral' ELSE 'none' END
                AS label,
            now() - (:articles - n) * interval '1 day' / :a_day AS at,
            'feed-' || floor(:feeds * random()) AS feed, 'feed-' || floor(:feeds * random()) AS other
        FROM (SELECT n, random() AS luck FROM generate_series(1, :articles) n) numbered
    ) dated
) named;
ALTER TABLE made ADD PRIMARY KEY (n);
ANALYZE made;
CREATE TEMP TABLE words AS
SELECT string_agg(md5('w' || n), CASE n % 5 WHEN 0 THEN '. ' ELSE ' ' END) AS said
FROM generate_series(1, 300) n;
CREATE TEMP TABLE told AS
SELECT story, 'story-' || substr(md5('t' || story), 1, 16) AS story_id, min(actor) AS actor,
    min(product) AS product, count(*) AS size
FROM made WHERE label = 'core' GROUP BY story;
ALTER TABLE told ADD PRIMARY KEY (story);
ANALYZE told
"""
_SPAN = "jsonb_build_array(jsonb_build_object('field', 'title', 'start', 0, 'end', 4, 'text', 'Word'))"
_STORY_ARTICLE = """jsonb_build_object('article_id', m.id, 'url', m.url, 'title', m.title, 'language', 'en',
    'feed', m.feed, 'published_at', m.iso, 'status', 'happened')"""
_FILL = f"""
INSERT INTO feeds (feed_id, feed, state, next_poll_at)
SELECT 'feed-' || n,
    jsonb_build_object('id', 'feed-' || n, 'url', 'https://feed-' || n || '.example/feed', 'kind', 'press',
        'rank', 2, 'language', 'en', 'title', 'Feed ' || n),
    jsonb_build_object('feed_id', 'feed-' || n, 'status', 'ok'), now() + random() * interval '1 hour'
FROM generate_series(0, :feeds - 1) n;
INSERT INTO articles
SELECT id, 'r-' || n, url, title, substr(said, 1 + n * 31 % 8000, 1000), 'summary', 'en', at, 'second',
    at + interval '10 min', feed, 'press', 2, at + interval '11 min', false
FROM made, words ORDER BY n;
INSERT INTO revisions
SELECT id, 'r-' || n || CASE again WHEN 0 THEN '' ELSE '-old' END, title,
    substr(said, 1 + n * 31 % 8000, 1000), feed, at + interval '10 min'
FROM made, words, generate_series(0, 1) again WHERE again = 0 OR luck > .9 ORDER BY n;
INSERT INTO sightings
SELECT id, feed, url, at + interval '10 min' FROM made
UNION ALL SELECT id, other, url, at + interval '1 hour' FROM made WHERE n % 3 = 0 AND other <> feed;
INSERT INTO assessments
SELECT id, 1, 'r-' || n, 'classifier-1', label, at,
    jsonb_build_object('article_id', id, 'revision', 'r-' || n, 'version', 1, 'classifier', 'classifier-1',
        'url', url, 'title', title, 'language', 'en', 'published_at', iso, 'feed', feed,
        'sightings', '[]'::jsonb,
        'relevance', jsonb_build_object('label', label, 'score', .5, 'spans', {_SPAN}),
        'actors', CASE label WHEN 'none' THEN '[]'::jsonb ELSE jsonb_build_array(
            jsonb_build_object('id', actor, 'role', 'mover', 'spans', {_SPAN})) END,
        'products', CASE label WHEN 'none' THEN '[]'::jsonb ELSE jsonb_build_array(
            jsonb_build_object('name', product, 'actor', actor, 'spans', {_SPAN})) END,
        'events', jsonb_build_array(jsonb_build_object('id', 'release', 'score', .5, 'spans', {_SPAN})),
        'status', 'happened', 'status_spans', {_SPAN}, 'expected', NULL),
    at + interval '11 min'
FROM made ORDER BY n;
INSERT INTO story_members
SELECT m.id, t.story_id, m.at, jsonb_build_array(t.actor),
    jsonb_build_object('story_id', t.story_id, 'article', {_STORY_ARTICLE},
        'movers', jsonb_build_array(t.actor), 'actors', jsonb_build_array(t.actor),
        'products', jsonb_build_array(t.product), 'events', jsonb_build_array('release'))
FROM made m JOIN told t USING (story) WHERE m.label = 'core' ORDER BY m.n;
INSERT INTO stories
SELECT t.story_id, t.size, min(m.at), max(m.at), jsonb_build_array(t.actor), jsonb_build_array(t.product),
    jsonb_build_object('story_id', t.story_id, 'version', t.size, 'title', min(m.title),
        'actors', jsonb_build_array(t.actor), 'products', jsonb_build_array(t.product),
        'events', jsonb_build_array('release'), 'status', 'happened', 'languages', jsonb_build_array('en'),
        'articles', jsonb_agg({_STORY_ARTICLE} ORDER BY m.n),
        'first_published_at', min(m.iso), 'last_published_at', max(m.iso)),
    max(m.at) + interval '12 min'
FROM told t JOIN made m USING (story) WHERE m.label = 'core'
GROUP BY t.story_id, t.size, t.actor, t.product ORDER BY min(m.n);
INSERT INTO releases
SELECT t.actor || ':' || lower(replace(t.product, ' ', '-')), count(*), t.actor, 'happened', max(m.at),
    jsonb_agg(m.id), jsonb_build_object(
        'release_id', t.actor || ':' || lower(replace(t.product, ' ', '-')), 'version', count(*),
        'actor', t.actor, 'product', t.product, 'status', 'happened', 'expected', NULL, 'slips', 0,
        'statements', jsonb_agg({_STORY_ARTICLE} || '{{"expected": null, "quote": "Word"}}' ORDER BY m.n)),
    max(m.at) + interval '12 min'
FROM told t JOIN made m USING (story) WHERE m.label = 'core' AND t.story % 3 = 0 GROUP BY t.actor, t.product;
INSERT INTO known_articles
SELECT id, jsonb_build_object('article_id', id, 'owner', feed, 'owner_rank', 2, 'text_length', 1000,
        'revision', 'r-' || n, 'title_digest', md5(title), 'published_at', iso, 'precision', 'second',
        'observed_at', to_char((at + interval '10 min') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'history', false, 'undated', n % 100 = 0, 'edits', 0, 'published', 1, 'teaser', NULL, 'same_as', NULL,
        'carriers', CASE WHEN n % 3 = 0 AND other <> feed
            THEN jsonb_build_array(feed, other) ELSE jsonb_build_array(feed) END),
    at + interval '10 min'
FROM made ORDER BY n;
INSERT INTO polls
    (feed_id, at, "fetch", detail, entries, articles, revisions, sightings, unchanged, rejects)
SELECT 'feed-' || (n % :feeds), now() - n * interval '30 days' / (:feeds * 120),
    CASE n % 20 WHEN 0 THEN 'timeout' ELSE 'ok' END, '', 30, 1, 0, 1, 27, '[["old", "too old", "x"]]'
FROM generate_series(:feeds * 120, 1, -1) n;
INSERT INTO dead_letters (topic, partition, record_offset, reason, fingerprint, state, failed_at, body)
SELECT 'news.articles.v1', n % 12, n, 'decode', 'f' || (n % 20),
    CASE WHEN n > 2800 THEN 'open' ELSE 'resolved' END, now() - (3000 - n) * interval '90 days' / 3000,
    jsonb_build_object('topic', 'news.articles.v1', 'partition', n % 12, 'offset', n,
        'timestamp', '2025-04-01T08:00:00Z', 'key', encode(md5('d' || n)::bytea, 'base64'), 'value', 'e30=',
        'headers', '[]'::jsonb, 'reason', 'decode', 'errors', '["broken"]'::jsonb,
        'fingerprint', 'f' || (n % 20), 'worker', 'classifier', 'worker_version', '1',
        'failed_at', '2025-04-01T08:00:00Z', 'attempts', 1)
FROM generate_series(1, 3000) n;
INSERT INTO outbox (lane, topic, key, event_id, headers, value)
SELECT (n % 5 > 0)::int, 'ai-race.assessments.v1', substr(md5('o' || n), 1, 24)::bytea, 'e-' || n,
    '[]', '{{}}'
FROM generate_series(1, :outbox) n;
INSERT INTO corrections (article_id, revision, classifier, label, given_by, note)
SELECT id, 'r-' || n, 'classifier-1', jsonb_build_object('id', id, 'relevance', 'none'), 'somebody', ''
FROM made WHERE n % 20 = 0;
INSERT INTO forgotten SELECT substr(md5('g' || n), 1, 24) FROM generate_series(1, :articles / 20) n;
INSERT INTO robots
SELECT 'https://' || n || '.example', '', now() + interval '1 day' FROM generate_series(1, 300) n;
INSERT INTO consumer_offsets SELECT 'classifier', 'news.articles.v1', n, 1000 FROM generate_series(0, 11) n;
INSERT INTO claims SELECT 'classifier', 'news.articles.v1', n, 'bench', now() FROM generate_series(0, 11) n;
INSERT INTO relay_checkpoints SELECT 'ai-race.assessments.v1', n, 1000 FROM generate_series(0, 11) n;
INSERT INTO leases VALUES ('storyteller', 'bench', 1, now() + interval '1 day');
INSERT INTO registry VALUES (1, 'digest');
DROP TABLE made, words, told
"""  # noqa: S608


def fill(
    engine: Engine, articles: int, a_day: float, core: float = 0.15, none: float = 0.6, outbox: int = 2000
) -> None:
    """Fill an empty store with that many articles, the newest of now and `a_day` of them each day before.

    `core` and `none` are the shares of these labels, `outbox` is how much waits there.
    """
    values = {
        "articles": articles,
        "a_day": a_day,
        "core": core,
        "none": none,
        "outbox": outbox,
        "feeds": FEEDS,
    }
    with engine.begin() as tx:
        for setting in ("synchronous_commit = off", "session_replication_role = replica", "jit = off"):
            tx.execute(text(f"SET LOCAL {setting}"))
        tx.execute(text("SET LOCAL maintenance_work_mem = '512MB'; SET LOCAL work_mem = '256MB'"))
        tx.execute(text("SELECT setseed(0.5)"))
        with _without_indexes(tx):
            for statement in f"{_MADE};{_FILL}".split(";\n"):
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                tx.execute(text(statement), used)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("VACUUM ANALYZE"))


@contextmanager
def _without_indexes(tx: Connection) -> Iterator[None]:
    """Indexes that hold no promise are made anew afterwards, which is quicker than row by row."""
    found = tx.execute(
        text("""
            SELECT indexname, indexdef FROM pg_indexes
            JOIN pg_class c ON c.relname = indexname JOIN pg_index i ON i.indexrelid = c.oid
            WHERE schemaname = 'public' AND NOT i.indisunique
        """)
    ).all()
    for name, _ in found:
        tx.execute(text(f"DROP INDEX {name}"))
    yield
    for _, definition in found:
        tx.execute(text(definition))
