"""Amounts: what is read in each language, what is none, how it is shown, and what holds for any text."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.assets import classifier
from pipeline.classify.folding import is_inner
from pipeline.classify.numerals import alternatives
from pipeline.classify.wording import in_words
from schemas.messages import Amount, Assessment
from tests.unit.classify.conftest import make_article

# Makes an article one of the race, whatever else it says.
RACE = "OpenAI raises funding for its new AI model"


def assess(text: str, language: str = "en", title: str = RACE) -> Assessment:
    return classifier().assess(msgspec.structs.replace(make_article(title, text), language=language))


def read(text: str, language: str = "en") -> list[str]:
    """What is read in a text, in words, each with its span."""
    return [f"{in_words(a)} [{a.spans[0].text}]" for a in assess(text, language).amounts]


# Language, text, what it says in words, the span. `-` stands for the whole text.
SAID = """
en | They paid $40B for it. | 40 billion USD | $40B
en | They paid $40bn for it. | 40 billion USD | $40bn
en | They paid $ 2.5 million for it. | 2.5 million USD | $ 2.5 million
en | They paid $1,500 for it. | 1,500 USD | $1,500
en | They paid US$300m for it. | 300 million USD | US$300m
en | They paid USD 12.75 million for it. | 12.75 million USD | USD 12.75 million
en | They paid $1.5T for it. | 1.5 trillion USD | $1.5T
en | They paid $750K for it. | 750,000 USD | $750K
en | They paid HK$300 million for it. | 300 million HKD | HK$300 million
en | They paid NT$3 billion for it. | 3 billion TWD | NT$3 billion
en | They paid C$5 billion for it. | 5 billion CAD | C$5 billion
en | They paid A$60 million for it. | 60 million AUD | A$60 million
en | They paid S$9 million for it. | 9 million SGD | S$9 million
en | They paid £27m for it. | 27 million GBP | £27m
en | They paid €1.2 billion for it. | 1.2 billion EUR | €1.2 billion
en | They paid ₹500 crore for it. | 5 billion INR | ₹500 crore
en | They paid ₩300 billion for it. | 300 billion KRW | ₩300 billion
en | They paid 5 billion won for it. | 5 billion KRW | 5 billion won
en | They paid 300 million yuan for it. | 300 million CNY | 300 million yuan
en | They paid RMB 20 million for it. | 20 million CNY | RMB 20 million
en | They paid 9 billion yen for it. | 9 billion JPY | 9 billion yen
en | They paid 7 million Swiss francs for it. | 7 million CHF | 7 million Swiss francs
en | They paid 60 million Canadian dollars for it. | 60 million CAD | 60 million Canadian dollars
en | They paid two billion dollars for it. | 2 billion USD | two billion dollars
en | They paid half a billion euros for it. | 500 million EUR | half a billion euros
en | They paid a billion dollars for it. | 1 billion USD | a billion dollars
en | They paid two hundred million dollars for it. | 200 million USD | two hundred million dollars
en | It is a 40-billion-dollar deal. | 40 billion USD | 40-billion-dollar
en | They paid more than $3 billion for it. | over 3 billion USD | more than $3 billion
en | They paid about 30 to 40 billion dollars. | about 30 to 40 billion USD | about 30 to 40 billion dollars
en | It is worth $30-40 billion now. | 30 to 40 billion USD | $30-40 billion
en | It is worth between $5 and $6 million. | 5 to 6 million USD | $5 and $6 million
en | It is worth $500 million to $1 billion. | 500 million to 1 billion USD | $500 million to $1 billion
en | It is worth $2B+ by now. | over 2 billion USD | $2B+
en | It is worth up to $9 million. | under 9 million USD | up to $9 million
en | Input is $0.14 per million tokens. | 0.14 USD per million tokens | $0.14 per million tokens
en | Output is $2.50/1M output tokens. | 2.5 USD per million tokens | $2.50/1M output tokens
en | Speech is $0.003 per 1k tokens. | 0.003 USD per thousand tokens | $0.003 per 1k tokens
en | The plan is $20 a month. | 20 USD per month | $20 a month
en | The plan is $20/month. | 20 USD per month | $20/month
en | The $200-a-month plan stays. | 200 USD per month | $200-a-month
en | The plan is $30 per user per month. | 30 USD per user per month | $30 per user per month
en | A chip is $2.10 per GPU hour. | 2.1 USD per hour | $2.10 per GPU hour
en | They offer $54.20 per share. | 54.2 USD per share | $54.20 per share
en | Sales run at $13 billion a year. | 13 billion USD per year | $13 billion a year
en | The model has 671B parameters. | 671 billion parameters | 671B parameters
en | The model has 1.8T parameters. | 1.8 trillion parameters | 1.8T parameters
en | It is a 70-billion-parameter model. | 70 billion parameters | 70-billion-parameter
en | It is called Foo3-72B by its makers. | 72 billion parameters | 72B
en | It is called Foo 405B by its makers. | 405 billion parameters | 405B
en | It is called Foo-4 7B by its makers. | 7 billion parameters | 7B
en | It has 500 million parameters. | 500 million parameters | 500 million parameters
en | It grew by 12.5% this year. | 12.5 percent | 12.5%
en | It grew by 12 percent this year. | 12 percent | 12 percent
en | It grew by 10-20% this year. | 10 to 20 percent | 10-20%
en | It fell by 3 percentage points. | 3 percentage points | 3 percentage points
en | It takes 1M tokens at once. | 1 million tokens | 1M tokens
en | It has a 128K context window. | 128,000 tokens | 128K context window
en | The site draws 1.2 GW at peak. | 1.2 gigawatts | 1.2 GW
en | The site draws 300 megawatts at peak. | 300 megawatts | 300 megawatts
de | Sie zahlen 40 Milliarden Dollar dafür. | 40 billion USD | 40 Milliarden Dollar
de | Sie zahlen 2,5 Mrd. Euro dafür. | 2.5 billion EUR | 2,5 Mrd. Euro
de | Sie zahlen 5 Mio. € dafür. | 5 million EUR | 5 Mio. €
de | Sie zahlen 1.500 Euro dafür. | 1,500 EUR | 1.500 Euro
de | Sie zahlen 1.234,50 Euro dafür. | 1,234.5 EUR | 1.234,50 Euro
de | Sie zahlen 10 000 Euro dafür. | 10,000 EUR | 10 000 Euro
de | Sie zahlen 1'000 Franken dafür. | 1,000 CHF | 1'000 Franken
de | Sie sind 1,5 Billionen US-Dollar wert. | 1.5 trillion USD | 1,5 Billionen US-Dollar
de | Sie sind eine Billion Dollar wert. | 1 trillion USD | eine Billion Dollar
de | Es heißt 40 billion dollar im Zitat. | 40 billion USD | 40 billion dollar
de | Sie zahlen zwei Milliarden Euro dafür. | 2 billion EUR | zwei Milliarden Euro
de | Sie zahlen eine halbe Milliarde Dollar. | 500 million USD | eine halbe Milliarde Dollar
de | Ein 500-Millionen-Euro-Vertrag liegt vor. | 500 million EUR | 500-Millionen-Euro
de | Sie zahlen rund 3 bis 4 Milliarden Dollar. | about 3 to 4 billion USD | rund 3 bis 4 Milliarden Dollar
de | Sie zahlen mindestens 3 Millionen Euro. | over 3 million EUR | mindestens 3 Millionen Euro
de | Sie zahlen bis zu 7 Millionen Euro. | under 7 million EUR | bis zu 7 Millionen Euro
de | Das Abo kostet 20 Euro im Monat. | 20 EUR per month | 20 Euro im Monat
de | Das kostet 3 Dollar pro Million Token. | 3 USD per million tokens | 3 Dollar pro Million Token
de | Das Abo kostet monatlich 20 Euro. | 20 EUR per month | monatlich 20 Euro
de | Ein 671B-Parameter-Modell ist es. | 671 billion parameters | 671B-Parameter
de | Es hat 7,5 Milliarden Parameter. | 7.5 billion parameters | 7,5 Milliarden Parameter
de | Es wächst um 4,5 Prozent. | 4.5 percent | 4,5 Prozent
de | Es wächst um 4,5 %. | 4.5 percent | 4,5 %
de | Es sind 3 Prozentpunkte mehr. | 3 percentage points | 3 Prozentpunkte
de | Es braucht 46 Gigawatt Leistung. | 46 gigawatts | 46 Gigawatt
zh | 公司融资400亿美元。 | 40 billion USD | 400亿美元
zh | 公司融资1.2万亿美元。 | 1.2 trillion USD | 1.2万亿美元
zh | 公司融资 5000 万元。 | 50 million CNY | 5000 万元
zh | 公司融资400多亿美元。 | over 40 billion USD | 400多亿美元
zh | 公司融资约3亿元人民币。 | about 300 million CNY | 约3亿元人民币
zh | 公司融资超10亿欧元。 | over 1 billion EUR | 超10亿欧元
zh | 公司融资近20亿港元。 | about 2 billion HKD | 近20亿港元
zh | 公司融资不超40亿元。 | under 4 billion CNY | 不超40亿元
zh | 用了33T tokens + 很多。 | 33 trillion tokens | 33T tokens
zh | 公司融资百亿美元。 | 10 billion USD | 百亿美元
zh | 公司融资两千万美元。 | 20 million USD | 两千万美元
zh | 估值为30亿至40亿美元。 | 3 to 4 billion USD | 30亿至40亿美元
zh | 估值为30到40亿美元。 | 3 to 4 billion USD | 30到40亿美元
zh | 每百万tokens 2元，很便宜。 | 2 CNY per million tokens | 每百万tokens 2元
zh | 价格是4元/百万tokens。 | 4 CNY per million tokens | 4元/百万tokens
zh | 会员每月20美元。 | 20 USD per month | 每月20美元
zh | 模型有6710亿参数。 | 671 billion parameters | 6710亿参数
zh | 模型有1.6万亿参数。 | 1.6 trillion parameters | 1.6万亿参数
zh | 总参数量达2350亿。 | 235 billion parameters | 参数量达2350亿
zh | 增长了百分之三十。 | 30 percent | 百分之三十
zh | 增长了30%左右。 | about 30 percent | 30%左右
zh | 提高了5个百分点。 | 5 percentage points | 5个百分点
zh | 支持100万tokens。 | 1 million tokens | 100万tokens
zh | 数据中心有5吉瓦。 | 5 gigawatts | 5吉瓦
zh | 数据中心有200兆瓦。 | 200 megawatts | 200兆瓦
zh | 售价￥199。 | 199 CNY | ￥199
zh | 公司估值４００亿美元。 | 40 billion USD | ４００亿美元
zh | 這家公司融資400億美元。 | 40 billion USD | 400億美元
zh | 這家公司估值一兆美元，很高。 | 1 trillion USD | 一兆美元
zh | 這款模型有70億參數。 | 7 billion parameters | 70億參數
zh | 這家公司投資30億新台幣。 | 3 billion TWD | 30億新台幣
ko | 회사는 400억 달러를 투자했다. | 40 billion USD | 400억 달러
ko | 회사는 1조 2000억원을 투자했다. | 1.2 trillion KRW | 1조 2000억원
ko | 회사는 3억5천만 달러를 투자했다. | 350 million USD | 3억5천만 달러
ko | 회사는 약 5천억원을 투자했다. | about 500 billion KRW | 약 5천억원
ko | 회사는 백억 달러를 투자했다. | 10 billion USD | 백억 달러
ko | 회사는 100억원 이상을 투자했다. | over 10 billion KRW | 100억원 이상
ko | 요금은 월 20달러다. | 20 USD per month | 월 20달러
ko | 매개변수 2000억 개 규모다. | 200 billion parameters | 매개변수 2000억
ko | 매출이 20퍼센트 늘었다. | 20 percent | 20퍼센트
ko | 점유율이 3%포인트 늘었다. | 3 percentage points | 3%포인트
ja | 会社は400億ドルを投じる。 | 40 billion USD | 400億ドル
ja | 会社は約1兆5000億円を投じる。 | about 1.5 trillion JPY | 約1兆5000億円
ja | 価格は3万9600円だ。 | 39,600 JPY | 3万9600円
ja | 料金は月額3000円だ。 | 3,000 JPY per month | 月額3000円
ja | 会社は10億ユーロ以上を投じる。 | over 1 billion EUR | 10億ユーロ以上
ja | 売上は30パーセント増えた。 | 30 percent | 30パーセント
ja | モデルは700億パラメータだ。 | 70 billion parameters | 700億パラメータ
ja | 価格は¥500だ。 | 500 JPY | ¥500
ja | 会社は3億元を投じる。 | 300 million CNY | 3億元
fr | Elle lève 40 milliards de dollars. | 40 billion USD | 40 milliards de dollars
fr | Elle lève 1,5 milliard d’euros. | 1.5 billion EUR | 1,5 milliard d’euros
fr | Elle paie 10 000 euros. | 10,000 EUR | 10 000 euros
fr | Elle lève 5 M€ pour cela. | 5 million EUR | 5 M€
fr | Elle vaut 2 billions de dollars. | 2 trillion USD | 2 billions de dollars
fr | Elle lève un milliard de dollars. | 1 billion USD | un milliard de dollars
fr | Elle a 70 milliards de paramètres. | 70 billion parameters | 70 milliards de paramètres
fr | Elle coûte 20 € par mois. | 20 EUR per month | 20 € par mois
fr | Elle monte de 12 pour cent. | 12 percent | 12 pour cent
fr | Elle vaut près de 3 milliards d’euros. | about 3 billion EUR | près de 3 milliards d’euros
es | Invierte 40.000 millones de dólares. | 40 billion USD | 40.000 millones de dólares
es | Invierte 1,500 millones de dólares. | 1.5 billion USD | 1,500 millones de dólares
es | Invierte mil millones de euros. | 1 billion EUR | mil millones de euros
es | Invierte dos mil millones de euros. | 2 billion EUR | dos mil millones de euros
es | Vale 1,75 billones de dólares. | 1.75 trillion USD | 1,75 billones de dólares
es | Invierte US$ 500 mil en total. | 500,000 USD | US$ 500 mil
es | Entre US$ 4 millones y US$ 5 millones. | 4 to 5 million USD | US$ 4 millones y US$ 5 millones
es | Sube más de un 30%. | over 30 percent | más de un 30%
es | Sube un 30 por ciento. | 30 percent | 30 por ciento
es | Cuesta 20 euros al mes. | 20 EUR per month | 20 euros al mes
es | Tiene 70 mil millones de parámetros. | 70 billion parameters | 70 mil millones de parámetros
pt | Investe 40 bilhões de dólares. | 40 billion USD | 40 bilhões de dólares
pt | Investe R$ 1,5 bilhão. | 1.5 billion BRL | R$ 1,5 bilhão
pt | Investe 3 biliões de euros. | 3 trillion EUR | 3 biliões de euros
pt | Investe mil milhões de euros. | 1 billion EUR | mil milhões de euros
pt | Custa 20 dólares por mês. | 20 USD per month | 20 dólares por mês
pt | Sobe 12,5 por cento. | 12.5 percent | 12,5 por cento
pt | Tem 70 bilhões de parâmetros. | 70 billion parameters | 70 bilhões de parâmetros
ru | Она стоит 3 млрд долларов. | 3 billion USD | 3 млрд долларов
"""

NONE = """
en | Version 3.5 of GPT-4 came in 2025 with M4, A100, H20 and 5G.
en | Call +1 555 123 4567 on 12.05.2025 at 10:30.
en | The stock is $NVDA, and X$40 is nobody's money.
en | It has 8x7B in its name and 1.2B times it was seen.
en | Go to https://a.example/?q=5%20cats or /7/b.
en | It is 40 pounds of steel, and they won 3 games.
en | There are 1.5 million users, a few billion stars and several million dollars.
en | It does 300 tokens/s.
en | The price is 1.2.34% of nothing.
en | In 2024-25% of it.
de | Die RTX 5090 hat 16 GByte und kostet nichts; 3 Millionen Nutzer.
de | Mehrere Milliarden Euro sind im Spiel.
zh | 最近3年发布了2个版本，昇腾910B和4月8日。
zh | 数百亿美元和几千万元没有数字。
zh | 3元素和5元宝都不是钱。
zh | 這家公司融資3億元。
ko | 수백억 달러와 3원칙, 2조각.
es | Llegó a millones de dólares.
"""


def lines(table: str) -> list[list[str]]:
    return [[cell.strip(" ") for cell in line.split(" | ")] for line in table.strip().splitlines()]


@pytest.mark.parametrize(("language", "text", "words", "span"), lines(SAID))
def test_what_is_said_is_read(language: str, text: str, words: str, span: str) -> None:
    assert read(text, language) == [f"{words} [{span}]"]


@pytest.mark.parametrize(("language", "text"), lines(NONE))
def test_what_is_no_amount_is_not_read(language: str, text: str) -> None:
    assert read(text, language) == []


def test_there_are_enough_of_them() -> None:
    assert len(lines(SAID)) + len(lines(NONE)) >= 120


def test_an_amount_is_given_as_the_contract_writes_it() -> None:
    (found,) = assess("Input is about $0.10-0.20 per million tokens.").amounts
    assert (found.kind, found.value, found.high, found.unit, found.per, found.qualifier) == (
        "price",
        "0.1",
        "0.2",
        "USD",
        "million-tokens",
        "about",
    )


def test_the_same_amount_is_given_once_with_all_its_places() -> None:
    found = assess(
        "They paid 40 billion dollars, as $40B was asked. Later $50B.", title=f"{RACE}: $40B"
    ).amounts
    assert [(a.value, [(s.field, s.text) for s in a.spans]) for a in found] == [
        ("40000000000", [("title", "$40B"), ("text", "40 billion dollars"), ("text", "$40B")]),
        ("50000000000", [("text", "$50B")]),
    ]


def test_two_prices_share_what_they_are_for() -> None:
    assert [in_words(a) for a in assess("It is $3/$15 per million input/output tokens.").amounts] == [
        "3 USD per million tokens",
        "15 USD per million tokens",
    ]


def test_a_change_is_no_range() -> None:
    assert read("Its share rose from 10% to 20%.") == ["10 percent [10%]", "20 percent [20%]"]


def test_only_core_articles_have_amounts() -> None:
    assert assess("Bread is $4 now.", title="A bakery raises its prices").amounts == []


def test_the_first_twenty_are_given() -> None:
    found = assess(" ".join(f"${n} million." for n in range(1, 60))).amounts
    assert [a.value for a in found] == [f"{n}000000" for n in range(1, 21)]


@pytest.mark.parametrize(
    "piece", ["$1 ", "1 ", "9", "1.000", "a billion dollars ", "一亿元", "1-2-", "$1/", "5 %,"]
)
def test_a_hostile_text_gives_no_more(piece: str) -> None:
    found = assess(piece * (100_000 // len(piece)), "zh").amounts
    assert len(found) <= 20
    assert all(len(a.spans) <= 8 for a in found)


PIECES = st.sampled_from(
    [
        "$",
        "40",
        "1,5",
        "B",
        " ",
        " billion",
        "亿",
        "美元",
        "%",
        "-",
        " to ",
        "2.000",
        " Euro",
        "about ",
        "/",
        "月",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(st.characters(codec=None), max_size=5)), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, language=st.sampled_from(["en", "de", "zh", "ko", "ja", "fr", "es", "pt", "und"]))
def test_any_text_gives_exact_spans_and_the_same_again(text: str, language: str) -> None:
    verdict = assess(text, language)
    article = {"title": RACE, "text": text}
    for amount in verdict.amounts:
        assert amount.spans
        for span in amount.spans:
            assert article[span.field][span.start : span.end] == span.text != ""
    assert assess(text, language) == verdict
    assert msgspec.convert(msgspec.to_builtins(verdict.amounts), list[Amount]) == verdict.amounts


MONEY = ["USD", "EUR", "CNY", "KRW", "JPY"]
FIGURES = st.decimals(min_value=0, max_value=10**14, places=2).map(lambda d: f"{d:f}".rstrip("0").rstrip("."))
UNITS = st.one_of(
    st.sampled_from(MONEY).map(lambda unit: ("money", unit, None)),
    st.sampled_from(["month", "million-tokens", "user-month", "share"]).map(
        lambda per: ("price", "EUR", per)
    ),
    st.sampled_from([("percent", "percent", None), ("points", "percentage-points", None)]),
    st.sampled_from([("parameters", "parameters", None), ("tokens", "tokens", None)]),
)


@settings(max_examples=300, deadline=None)
@given(value=FIGURES, unit=UNITS, qualifier=st.sampled_from([None, "about", "over", "under"]))
def test_words_say_the_value_to_the_last_digit(
    value: str, unit: tuple[str, str, str | None], qualifier: str | None
) -> None:
    kind, name, per = unit
    amount = Amount(kind=kind, value=value, unit=name, per=per, qualifier=qualifier, spans=[])
    (found,) = assess(in_words(amount)).amounts
    assert (found.value, found.unit, found.per, found.qualifier) == (value, name, per, qualifier)


@given(
    st.sets(st.text("ab万$", min_size=1, max_size=4), min_size=1, max_size=8), st.text("ab万$ ", max_size=6)
)
def test_of_many_words_the_longest_whole_one_is_found(words: set[str], text: str) -> None:
    whole = [
        word
        for word in words
        if text.startswith(word) and not (is_inner(word, len(word) - 1) and is_inner(text, len(word)))
    ]
    found = re.match(alternatives(words), text)
    assert (found and found[0]) == max(whole, key=len, default=None)
