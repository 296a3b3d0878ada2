"""From a document's bytes to text, whatever it says of its encoding. Never raises.

In order: the byte order mark; UTF-8 where the bytes are UTF-8, which no other encoding's text is by chance,
so that it overrules what is declared; what the header or the document declares, where the bytes decode as
that; a guess; and in the end windows-1252, which has nearly all bytes.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress

from charset_normalizer import from_bytes

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# How `<?`, `<r` or `{"` begin without a mark: where the zeros are.
_ZEROS: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
# Encodings that are believed when declared: those of browsers. Python has others, some of them (punycode)
# slow on hostile input.
_KNOWN = {
    *("gb2312", "gbk", "gb18030", "hz", "big5", "big5hkscs", "cp950", "euc_kr", "cp949", "johab"),
    *("shift_jis", "cp932", "euc_jp", "iso2022_jp", "koi8-r", "koi8-u", "cp866", "cp874"),
    *("mac-roman", "mac-cyrillic"),
    *(f"iso8859-{n}" for n in range(2, 17)),
    *(f"cp125{n}" for n in range(9)),
}
# What is declared is often the smaller half of what is meant.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
# Browsers' names that Python does not have.
_LABELS = {"x-gbk": "gbk", "x-sjis": "cp932", "x-euc-jp": "euc_jp", "x-big5": "big5", "x-x-big5": "big5"}
# Those that write everything in ASCII's bytes.
_ESCAPING = frozenset({"hz", "iso2022_jp"})

_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.ASCII | re.IGNORECASE)

# Guessing looks at this much: what is not ASCII and the words around it. Markup tells no encodings apart.
_SAMPLE = 20_000
_MARKUP = re.compile(rb"<[^<>]*+>|&[#\w]*;|https?:[!-~]*+")
_FOREIGN = re.compile(rb"[\x80-\xff]")
# A letter of the Latin encodings alone among ASCII, which the other scripts hardly have.
_ACCENTED = re.compile(rb"(?<![\x80-\xff])[\xc0-\xff](?![\x80-\xff])")
_LATIN = ["cp1252", "cp1250", "cp1254"]
_SCRIPTS = [
    "gb18030", "big5hkscs", "cp949", "cp932", "euc_jp", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1255",
    "cp1256", "cp874",
]  # fmt: skip
# With fewer accents than this, Western and Central European cannot be told apart.
_TELLING = 20


def decode(body: bytes, content_type: str = "") -> str:
    """The text of a document that was served as `content_type`."""
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    wide = _ZEROS.get(tuple(byte == 0 for byte in body[:4]))
    if wide is not None:
        return body.decode(wide, "replace")
    declared = [*_declared(body, content_type)]
    if body.isascii():
        candidates = [*(name for name in declared if name in _ESCAPING), "utf-8"]
    else:
        candidates = ["utf-8", *declared]
    for encoding in candidates:
        if (found := _attempt(body, encoding)) is not None:
            return found
    return body.decode(_guess(body), "replace")


def _declared(body: bytes, content_type: str) -> Iterator[str]:
    """The encodings that the header and the document name, as what they mean."""
    header, document = _CHARSET.search(content_type), _XML_ENCODING.match(body)
    for label in (header and header[1], document and document[1].decode()):
        with suppress(LookupError):
            name = codecs.lookup(_LABELS.get(str(label).lower(), str(label))).name
            name = _MEANT.get(name, name)
            if name in _KNOWN:
                yield name


def _attempt(body: bytes, encoding: str) -> str | None:
    """The text, if the body is in this encoding but for stray or cut bytes."""
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        text = body.decode(encoding, "replace")
    broken = text.count("\ufffd")
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    return text if broken * 20 <= foreign else None


def _guess(body: bytes) -> str:
    """What nobody declared, or declared wrongly."""
    words = b" ".join(_MARKUP.sub(b" ", body[: 50 * _SAMPLE]).split())
    first = _FOREIGN.search(words)
    sample = words[first.start() if first is not None else 0 :][:_SAMPLE]
    sample = sample.rpartition(b" ")[0] or sample  # else it may end within a character
    accented = len(_ACCENTED.findall(sample))
    latin = accented * 2 > len(_FOREIGN.findall(sample))
    if latin and accented < _TELLING:
        return "cp1252"
    best = from_bytes(sample, cp_isolation=_LATIN if latin else _SCRIPTS, enable_fallback=False).best()
    return best.encoding if best is not None else "cp1252"
