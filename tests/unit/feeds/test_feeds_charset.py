"""Every encoding gives the same text: marked, declared, declared wrongly, or not declared at all."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.charset import decode

TEXTS = {
    "zh-Hans": "人工智能公司今天发布了新的大型语言模型，称其在推理和编程任务上超过了竞争对手。",
    "zh-Hant": "人工智慧公司今天發布了新的大型語言模型，稱其在推理和程式設計任務上超過了競爭對手。",
    "ko": "인공지능 회사가 오늘 새로운 언어 모델을 공개했다. 추론과 코딩에서 경쟁사를 앞선다고 밝혔다.",
    "ja": "人工知能企業は本日、新しい大規模言語モデルを公開した。推論の課題で競合他社を上回るという。",
    "ru": "Компания представила новую языковую модель, которая превосходит конкурентов.",
    "fr": "L’entreprise a présenté son modèle de langage, supérieur à ses concurrents d’après elle.",
    "pl": "Spółka przedstawiła nowy model językowy, który przewyższa konkurencję w zadaniach.",
    "el": "Η εταιρεία παρουσίασε ένα νέο γλωσσικό μοντέλο που ξεπερνά τους ανταγωνιστές",
    "tr": "Şirket, yeni dil modelini tanıttı ve geliştiricilere açılacağını bildirdi.",
}
ENCODINGS = [
    ("gb18030", "zh-Hans"),
    ("gbk", "zh-Hans"),
    ("big5", "zh-Hant"),
    ("euc-kr", "ko"),
    ("shift_jis", "ja"),
    ("euc-jp", "ja"),
    ("windows-1251", "ru"),
    ("koi8-r", "ru"),
    ("windows-1252", "fr"),
    ("windows-1250", "pl"),
    ("windows-1253", "el"),
]
DECLARED_ONLY = [("iso-2022-jp", "ja"), ("windows-1254", "tr"), ("iso-8859-9", "tr")]


def document(text: str, declared: str = "") -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    item = f"<item><title>{text}</title><link>https://paper.example/a</link></item>"
    return f'{declaration}<rss version="2.0"><channel><title>News</title>{item}</channel></rss>'


@pytest.mark.parametrize(("encoding", "language"), ENCODINGS + DECLARED_ONLY)
def test_declared_in_the_document_or_in_the_header(encoding: str, language: str) -> None:
    text = document(TEXTS[language], encoding)
    assert decode(text.encode(encoding)) == text
    bare = document(TEXTS[language])
    assert decode(bare.encode(encoding), f'text/xml; Charset="{encoding}"') == bare


@pytest.mark.parametrize(("encoding", "language"), ENCODINGS)
@pytest.mark.parametrize("declared", ["", "utf-8", "no-such-encoding", "punycode"])
def test_undeclared_or_declared_as_what_it_is_not(encoding: str, language: str, declared: str) -> None:
    text = document(TEXTS[language], declared)
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("declared", ["", "iso-8859-1", "windows-1252", "gb2312", "us-ascii"])
@pytest.mark.parametrize("language", TEXTS)
def test_utf_8_overrules_what_is_declared(language: str, declared: str) -> None:
    text = document(TEXTS[language], declared)
    assert decode(text.encode(), f"text/xml; charset={declared}") == text


@pytest.mark.parametrize("declared", ["", "utf-16", "gb2312"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides_and_wide_text_needs_none(
    mark: bytes, encoding: str, declared: str
) -> None:
    text = document(TEXTS["zh-Hans"], declared)
    assert decode(mark + text.encode(encoding)) == decode(text.encode(encoding)) == text


def test_what_is_called_latin_1_or_gb2312_is_what_browsers_take_it_for() -> None:
    assert decode(document("“5 €”", "iso-8859-1").encode("cp1252")) == document("“5 €”", "iso-8859-1")
    text = document("朱镕基总理说：模型已经发布", "gb2312")  # a character that GB 2312 lacks
    assert decode(text.encode("gb18030")) == text


@pytest.mark.parametrize(("encoding", "language"), [("utf-8", "ko"), ("gb18030", "zh-Hans")])
def test_a_stray_byte_costs_one_character(encoding: str, language: str) -> None:
    text = document(TEXTS[language] * 3, encoding)
    broken = text.encode(encoding).replace(b"</title><link>", b"\xff</title><link>")
    assert decode(broken).replace("\ufffd", "") == text


def test_a_few_accents_are_western() -> None:
    assert decode(b"<note>Ana\xefs et J\xfcrgen</note>") == "<note>Anaïs et Jürgen</note>"


@given(
    st.binary(max_size=400),
    st.sampled_from(["", "charset=hz", "charset=utf-16", "charset=\0", "charset=x-sjis"]),
)
def test_any_bytes_are_text(body: bytes, content_type: str) -> None:
    decode(body, content_type).encode()
