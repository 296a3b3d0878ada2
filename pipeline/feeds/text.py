"""From what feeds put into titles and bodies to plain text: markup out, entities resolved, characters clean.

The scanner is linear in its input whatever that holds, which no tree builder is: 200,000 nested `<div>`
take a C parser 100 s. What it returns is text and must be escaped like any text where it is shown.
"""

import html
import re
import unicodedata

# Caps keep the largest message well below the broker's 1 MB: 100,000 characters are at most 400 kB of UTF-8.
MAX_TEXT = 100_000
MAX_TITLE = 500
# Raw markup is cut here before it is scanned; no article's text fills 100,000 characters of a longer one.
MAX_MARKUP = 2_000_000

# Elements whose content is no text of the article.
_HIDDEN = re.compile(
    r"script|style|template|noscript|iframe|object|svg|math|head|title|textarea|select|button"
)
# Elements that begin and end a paragraph.
_BLOCK = re.compile(
    r"address|article|aside|blockquote|br|center|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure|footer"
    r"|h[1-6r]|header|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
_PARAGRAPH = "\u2029"

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})(?=[\s/>])")
_QUOTE_OR_END = re.compile(r"=\s*([\"'])|[<>]")
_BLANK_LINE = re.compile(r"\n\s*\n")
_SPACES = re.compile(r"\s+")
# Controls, lone surrogates, non-characters, byte order marks; soft hyphens and zero-width spaces, which break
# the words that a matcher looks for; and directional overrides, which make text read other than it is.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\x80-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
# A pair of tags or a lone one that only markup has: what calls itself plain text is often enough HTML.
_LOOKS_LIKE_HTML = re.compile(r"</[a-z][a-z0-9]{0,10}\s*>|<(?:br|p|img|hr)\b[^<>]*>", re.IGNORECASE)


def from_html(markup: str, limit: int = MAX_TEXT) -> str:
    """The text of an HTML fragment: paragraphs joined by a blank line, at most `limit` characters."""
    markup = markup[:MAX_MARKUP]
    if "<" not in markup:
        markup = html.unescape(markup)  # escaped once too often: the markup shows only now
    pieces: list[str] = []
    position = 0
    while position < len(markup):
        start = markup.find("<", position)
        if start < 0:
            pieces.append(markup[position:])
            break
        pieces.append(markup[position:start])
        position, piece = _skip(markup, start)
        pieces.append(piece)
    return _fold(html.unescape("".join(pieces)), limit)


def from_plain(text: str, limit: int = MAX_TEXT) -> str:
    """Clean plain text, in which blank lines part paragraphs, at most `limit` characters."""
    return _fold(_BLANK_LINE.sub(_PARAGRAPH, text.replace("\r\n", "\n")), limit)


def from_either(value: str, is_html: bool, limit: int = MAX_TEXT) -> str:
    """Clean text of a value that its feed calls HTML or plain, which it gets wrong as often as right."""
    if is_html or _LOOKS_LIKE_HTML.search(value):
        return from_html(value, limit)
    return from_plain(html.unescape(value), limit)


def headline(text: str, limit: int = 120) -> str:
    """A title for an entry that has none: its first sentence or as many words of it as fit."""
    first = text.split("\n", 1)[0]
    sentence = re.match(r".{10,}?(?:[.!?](?=\s|$)|[。！？])", first)
    if sentence is not None and len(sentence[0]) <= limit:
        return sentence[0]
    if len(first) <= limit:
        return first
    # Back to the last space, but scripts without spaces are cut where they are.
    space = first.rfind(" ", limit // 2, limit)
    return first[: space if space > 0 else limit - 1].rstrip() + "…"


def _skip(markup: str, start: int) -> tuple[int, str]:
    """Read what begins with the `<` at `start`: where it ends, and what stands for it in the text."""
    if markup.startswith("<!--", start):
        end = markup.find("-->", start + 4)
        return (len(markup) if end < 0 else end + 3), ""
    if markup.startswith("<![CDATA[", start):
        return start + len("<![CDATA["), ""
    if markup.startswith(("<!", "<?"), start):
        end = markup.find(">", start)
        return (len(markup) if end < 0 else end + 1), ""
    tag = _TAG.match(markup, start)
    if tag is None:
        return start + 1, "<"
    end = _end_of_tag(markup, tag.end())
    name = tag[2].lower()
    if _HIDDEN.fullmatch(name) and not tag[1] and not markup.endswith("/>", start, end):
        closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(markup, end)
        return (len(markup) if closing is None else closing.end()), _PARAGRAPH
    return end, _PARAGRAPH if _BLOCK.fullmatch(name) else ""


def _end_of_tag(markup: str, position: int) -> int:
    """Where a tag ends: after the first `>` outside of quoted values, or before the next `<` there."""
    while (found := _QUOTE_OR_END.search(markup, position)) is not None:
        if not found[1]:
            return found.end() if found[0] == ">" else found.start()
        closing = markup.find(found[1], found.end())
        if closing < 0:  # a quote that never closes: take the plain reading
            return markup.find(">", position) + 1 or len(markup)
        position = closing + 1
    return len(markup)


def _fold(text: str, limit: int) -> str:
    """NFC, without unwanted characters, whitespace folded, paragraphs joined by a blank line."""
    # Unwanted first: they can stand between two characters that compose.
    text = unicodedata.normalize("NFC", _UNWANTED.sub("", text))
    paragraphs = (_SPACES.sub(" ", part).strip() for part in text.split(_PARAGRAPH))
    text = "\n\n".join(filter(None, paragraphs))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
