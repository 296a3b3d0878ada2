-- The views for reports: one statement each, with what it and its columns are. docs/consuming.md says the same.
-- They only grow, by columns at the end: CREATE OR REPLACE refuses everything else.

CREATE OR REPLACE VIEW bi.articles AS
SELECT article_id, url, title, language, feed_id, published_at, published_precision,
    (SELECT min(seen_at) FROM public.sightings s WHERE s.article_id = a.article_id) AS first_seen_at,
    (SELECT count(*) FROM public.sightings s WHERE s.article_id = a.article_id) AS feeds
FROM public.articles a;
COMMENT ON VIEW bi.articles IS 'One row an article, in its newest revision, without its text.';
COMMENT ON COLUMN bi.articles.article_id IS 'names the article for good';
COMMENT ON COLUMN bi.articles.url IS 'its address';
COMMENT ON COLUMN bi.articles.title IS 'its title, as plain text';
COMMENT ON COLUMN bi.articles.language IS 'ISO 639 code; und when unknown';
COMMENT ON COLUMN bi.articles.feed_id IS 'the feed whose text it is';
COMMENT ON COLUMN bi.articles.published_at IS 'when it was published, as far as the feed says';
COMMENT ON COLUMN bi.articles.published_precision IS
    'how exact that is: second, day, month, year, or observed where the feed gives no date';
COMMENT ON COLUMN bi.articles.first_seen_at IS 'when a feed was first seen carrying it';
COMMENT ON COLUMN bi.articles.feeds IS 'how many feeds carry it';

CREATE OR REPLACE VIEW bi.verdicts AS
SELECT article_id, label, (body #>> '{relevance,score}')::double precision AS score,
    body #>> '{events,0,id}' AS main_event, body ->> 'status' AS status,
    body #>> '{expected,value}' AS expected, classifier, version, published_at, written_at
FROM public.assessments;
COMMENT ON VIEW bi.verdicts IS 'One row an article that was assessed: the newest verdict on it.';
COMMENT ON COLUMN bi.verdicts.article_id IS 'the article';
COMMENT ON COLUMN bi.verdicts.label IS 'core, peripheral or none';
COMMENT ON COLUMN bi.verdicts.score IS 'how sure core is, from 0 to 1';
COMMENT ON COLUMN bi.verdicts.main_event IS 'the main event, empty where there is none';
COMMENT ON COLUMN bi.verdicts.status IS 'rumoured, announced, happened, delayed, denied or none';
COMMENT ON COLUMN bi.verdicts.expected IS
    'when something still ahead is expected: 2025, 2025-Q3, 2025-04 or 2025-04-17';
COMMENT ON COLUMN bi.verdicts.classifier IS 'the version of the classifier, as a digest';
COMMENT ON COLUMN bi.verdicts.version IS 'grows by one each time the verdict changes';
COMMENT ON COLUMN bi.verdicts.published_at IS 'when the article was published';
COMMENT ON COLUMN bi.verdicts.written_at IS 'when the verdict was written';

CREATE OR REPLACE VIEW bi.verdict_actors AS
SELECT article_id, one ->> 'id' AS actor, one ->> 'role' AS role
FROM public.assessments, jsonb_array_elements(body -> 'actors') AS one;
COMMENT ON VIEW bi.verdict_actors IS 'One row an actor of a verdict.';
COMMENT ON COLUMN bi.verdict_actors.article_id IS 'the article';
COMMENT ON COLUMN bi.verdict_actors.actor IS 'the organisation';
COMMENT ON COLUMN bi.verdict_actors.role IS 'mover, partner, target, rival or mentioned';

CREATE OR REPLACE VIEW bi.verdict_events AS
SELECT article_id, place, one ->> 'id' AS event, (one ->> 'score')::double precision AS score
FROM public.assessments, jsonb_array_elements(body -> 'events') WITH ORDINALITY AS events (one, place);
COMMENT ON VIEW bi.verdict_events IS 'One row an event of a verdict.';
COMMENT ON COLUMN bi.verdict_events.article_id IS 'the article';
COMMENT ON COLUMN bi.verdict_events.place IS '1 for the main event, then 2 and 3';
COMMENT ON COLUMN bi.verdict_events.event IS 'what kind of development it is';
COMMENT ON COLUMN bi.verdict_events.score IS 'how sure that is, from 0 to 1';

CREATE OR REPLACE VIEW bi.verdict_products AS
SELECT article_id, one ->> 'name' AS product, one ->> 'actor' AS actor
FROM public.assessments, jsonb_array_elements(body -> 'products') AS one;
COMMENT ON VIEW bi.verdict_products IS 'One row a product of a verdict.';
COMMENT ON COLUMN bi.verdict_products.article_id IS 'the article';
COMMENT ON COLUMN bi.verdict_products.product IS 'a model, app or chip, with its version';
COMMENT ON COLUMN bi.verdict_products.actor IS 'whose it is, empty where that is not known';

CREATE OR REPLACE VIEW bi.stories AS
SELECT story_id, body ->> 'title' AS title, first_published_at, last_published_at,
    jsonb_array_length(body -> 'articles') AS articles, body ->> 'status' AS status,
    ARRAY(SELECT jsonb_array_elements_text(actors)) AS actors,
    ARRAY(SELECT jsonb_array_elements_text(body -> 'languages')) AS languages, version
FROM public.stories
WHERE body -> 'articles' <> '[]';
COMMENT ON VIEW bi.stories IS 'One row a story that has articles; those that were merged into others have none.';
COMMENT ON COLUMN bi.stories.story_id IS 'names the story';
COMMENT ON COLUMN bi.stories.title IS 'its title, that of its oldest article';
COMMENT ON COLUMN bi.stories.first_published_at IS 'when its first article was published';
COMMENT ON COLUMN bi.stories.last_published_at IS 'when its last article was published';
COMMENT ON COLUMN bi.stories.articles IS 'how many articles it has';
COMMENT ON COLUMN bi.stories.status IS 'rumoured, announced, happened, delayed, denied or none';
COMMENT ON COLUMN bi.stories.actors IS 'its organisations';
COMMENT ON COLUMN bi.stories.languages IS 'the languages of its articles';
COMMENT ON COLUMN bi.stories.version IS 'grows by one each time the story changes';

CREATE OR REPLACE VIEW bi.story_articles AS
SELECT story_id, one ->> 'article_id' AS article_id
FROM public.stories, jsonb_array_elements(body -> 'articles') AS one;
COMMENT ON VIEW bi.story_articles IS 'One row an article of a story. An article is in one story at most.';
COMMENT ON COLUMN bi.story_articles.story_id IS 'the story';
COMMENT ON COLUMN bi.story_articles.article_id IS 'the article';

CREATE OR REPLACE VIEW bi.releases AS
SELECT release_id, actor, body ->> 'product' AS product, status, body ->> 'expected' AS expected,
    (body ->> 'slips')::bigint AS slips, jsonb_array_length(body -> 'statements') AS statements,
    last_published_at, version
FROM public.releases
WHERE body -> 'statements' <> '[]';
COMMENT ON VIEW bi.releases IS 'One row a product version of which something was said: how far it is.';
COMMENT ON COLUMN bi.releases.release_id IS 'names the product version';
COMMENT ON COLUMN bi.releases.actor IS 'whose product it is';
COMMENT ON COLUMN bi.releases.product IS 'the product with its version';
COMMENT ON COLUMN bi.releases.status IS 'rumoured, announced, happened, delayed or denied';
COMMENT ON COLUMN bi.releases.expected IS
    'when it is expected: 2025, 2025-Q3, 2025-04 or 2025-04-17';
COMMENT ON COLUMN bi.releases.slips IS 'how often that moved back or a delay was reported';
COMMENT ON COLUMN bi.releases.statements IS 'how many articles have said something of it';
COMMENT ON COLUMN bi.releases.last_published_at IS 'when the last of them was published';
COMMENT ON COLUMN bi.releases.version IS 'grows by one each time the line changes';

CREATE OR REPLACE VIEW bi.feeds AS
SELECT feed_id, feed ->> 'title' AS title, host, feed ->> 'language' AS language, feed ->> 'kind' AS kind,
    (feed ->> 'rank')::bigint AS rank,
    CASE WHEN removed_at IS NULL THEN state ->> 'status' ELSE 'removed' END AS standing,
    state ->> 'reason' AS reason, (state ->> 'failures')::bigint AS failures,
    (state ->> 'last_attempt_at')::timestamptz AS last_polled_at,
    (state ->> 'last_success_at')::timestamptz AS last_answered_at,
    (state ->> 'last_new_at')::timestamptz AS last_new_at,
    (state ->> 'silent_since')::timestamptz AS silent_since
FROM public.feeds;
COMMENT ON VIEW bi.feeds IS 'One row a feed, also those taken out of the registry: how it answers.';
COMMENT ON COLUMN bi.feeds.feed_id IS 'names the feed';
COMMENT ON COLUMN bi.feeds.title IS 'its title';
COMMENT ON COLUMN bi.feeds.host IS 'the server where it is asked';
COMMENT ON COLUMN bi.feeds.language IS 'ISO 639 code of what it writes in';
COMMENT ON COLUMN bi.feeds.kind IS 'press, lab, research or community';
COMMENT ON COLUMN bi.feeds.rank IS '1 is the best of its kind, 9 the last';
COMMENT ON COLUMN bi.feeds.standing IS
    'new, ok, empty, failing, blocked, not-a-feed, gone, duplicate or removed';
COMMENT ON COLUMN bi.feeds.reason IS 'a code for why it fails, empty where it does not';
COMMENT ON COLUMN bi.feeds.failures IS 'failed polls in a row';
COMMENT ON COLUMN bi.feeds.last_polled_at IS 'when it was polled last';
COMMENT ON COLUMN bi.feeds.last_answered_at IS 'when it gave a document last, or said that nothing is new';
COMMENT ON COLUMN bi.feeds.last_new_at IS 'when it had something new last';
COMMENT ON COLUMN bi.feeds.silent_since IS
    'since when it posts nothing for longer than its rhythm explains, empty where that is not so';
