"""Where a text names somebody who acts, in the words of the text alone: no lexicon is asked. Pure.

What is a name and no common word many articles tell together: a common word is written small elsewhere, or
follows an article (`the`, `die`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from schemas.messages import Article

from .folding import is_cjk

_READ = 2_000  # characters of a text whose words are counted
_COMMON = 3  # so many articles write a common word small
_GOVERNED = 0.15  # share of its occurrences in which a noun follows an article


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MOVES = _words(
    "raises raised raising lands landed nabs nabbed secures secured snags scores closes closed bags grabs "
    "hits launches launched unveils unveiled releases released debuts introduces introduced announces "
    "announced rolls ships acquires acquired buys opens open-sources expands files hires taps emerges "
    "sues builds plans stellt veröffentlicht sammelt erhält bringt startet präsentiert kündigt übernimmt "
    "kauft entwickelt plant eröffnet erweitert baut holt lanza presenta anuncia compra adquiere levanta "
    "recauda desarrolla lance lève présente dévoile rachète annonce"
)
_KINDS = _words(
    "startup start-up chipmaker unicorn company firm maker developer lab spin-off unternehmen firma "
    "hersteller anbieter entwickler chiphersteller empresa compañía jungunternehmen spezialist startups"
)
# `X, a Berlin startup that`
_APPOSED = re.compile(
    r", (?:a|an|ein|eine|una|un|une) [^.;:]{0,50}?\b"
    r"(?:startup|start-up|company|chipmaker|unternehmen|hersteller|anbieter|empresa)\b",
    re.IGNORECASE,
)
# Words that end a name without being one.
_TAILS = _words(
    "ai labs lab robotics technologies technology systems dynamics intelligence computing semiconductor "
    "energy semiconductors health networks research group inc industries machines motors space security"
)
_ARTICLES = _words("the a an der die das den dem des ein eine einen einem einer el la los las un una")
# Capitals that name no organisation: places, days, what everybody writes.
_NO_NAMES = _words(
    "ai ki ia api ceo cto cfo vc us usa uk eu un app ios android linux windows web internet europe europa "
    "africa asia china japan india germany deutschland france frankreich spain italy israel russia "
    "ukraine taiwan korea canada brazil mexico chile peru argentina australia singapore paris london "
    "berlin beijing peking california american chinese european british french german japanese korean "
    "russian indian monday tuesday wednesday thursday friday saturday sunday today yesterday january "
    "february march april may june july august september october november december montag dienstag "
    "mittwoch donnerstag freitag samstag sonntag i"
)
_TOKEN = re.compile(r"[^\W_][\w&+.-]*[^\W_]|[^\W_]|[,’'“”\"„:|;()!?–—]")
# Abbreviations, file names, compounds with AI.
_NO_NAME = re.compile(r".{1,2}|[A-Z&]{3}|.+\.(?:md|py|js|json|txt|cpp)|(?:KI|AI|IA)-.+")

_ZH_ADVERB = "正式|首次|再次|近日|今日|日前|宣布|已|将|拟|又|再"
_ZH_MOVES = "完成|宣布|发布|推出|开源|获得|获|上线|收购|递表|起诉"
_ZH_KINDS = "初创公司|创业公司|初创企业|独角兽|机器人公司|芯片公司|大模型公司|AI公司|智能公司|研发商|开发商"
_ZH = re.compile(
    rf"(?:^|[。：！？“”｜|\s]|(?P<kind>{_ZH_KINDS})[“「]?)"
    rf"(?P<name>[\u3400-\u9fff]{{2,8}}?|[A-Z][A-Za-z.]{{2,20}})[”」]? ?(?:{_ZH_ADVERB})*(?:{_ZH_MOVES})"
)
# What is cut off the sentence rather than a name: function words, times, quantities, common nouns at its end.
_ZH_NOISE = re.compile(
    "[的了是在与和为被将对从年月日第个多前后今等及或这那其该此本新最首全不已再又能可以们款一二三四五六七八九十百千万亿]"
    "|国内|公司|企业|团队|同时|同步|尚未|近期|正式|宣布|公告|重磅|才能|终于|目前|届时|相继|用户|帮助|助手|公测|国行|高调"
    "|小时|分钟|广东|北京|上海|深圳|杭州|官方|机构|消息|联合|[周但也它他她我你并刚库]"
    "|(?:模型|平台|系统|部|市|省|会|局|厅|院|署|台|版|功能|产品|芯片|技术|项目|报告|融资|论文|代码|人士|方面|政府)$"
)
_KO = re.compile(
    r"(?:스타트업|AI ?기업|전문기업|개발사|팹리스|유니콘) ?[‘'“]?(?P<name>[가-힣A-Za-z0-9]{2,12}?)"
    r"(?:[’'”,]|(?:이|가|은|는|을|를|의|와|과|에) )"
)


class Vocabulary:
    """Which words are common ones, as articles write them. `read` each, then ask."""

    def __init__(self) -> None:
        self._small: Counter[str] = Counter()
        self._capital: Counter[str] = Counter()
        self._governed: Counter[str] = Counter()

    def read(self, article: Article) -> None:
        """Count an article's words, each once."""
        small, capital, governed = set(), set(), set()
        before = ""
        for word in _TOKEN.findall(f"{article.title} . {article.text[:_READ]}"):
            low = word.casefold()
            if word[0].isupper():
                capital.add(low)
                if before in _ARTICLES:
                    governed.add(low)
            else:
                small.add(low)
            before = low
        self._small.update(small)
        self._capital.update(capital)
        self._governed.update(governed)

    def is_common(self, word: str) -> bool:
        """Whether a word in capitals is a common one all the same."""
        low = word.casefold()
        if low in _NO_NAMES or self._small[low] >= _COMMON:
            return True
        return self._governed[low] > _GOVERNED * self._capital[low]


def cjk(vocabulary: Vocabulary, text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and place (`moves`, `kind`) of names before a Chinese verb or beside a word for a firm.

    Names in Latin letters there too. No words are told apart: some of it is no name.
    """
    if not any(map(is_cjk, text)):
        return
    for found in _ZH.finditer(text):
        name = found["name"]
        if not _ZH_NOISE.search(name) and not (name.isascii() and vocabulary.is_common(name)):
            yield *found.span("name"), "kind" if found["kind"] else "moves"
    for found in _KO.finditer(text):
        if not (found["name"].isascii() and vocabulary.is_common(found["name"])):
            yield *found.span("name"), "kind"


def latin(
    vocabulary: Vocabulary, text: str, known: Sequence[tuple[int, int]], *, german: bool
) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of place (`moves`, `kind`, `beside`) of names in Latin letters.

    `known` are the places of names that stand for themselves, for lists with them.
    """
    tokens = [(m[0], m.start(), m.end()) for m in _TOKEN.finditer(text)]
    for first, last in _runs(vocabulary, text, tokens):
        start, end = tokens[first][1], tokens[last][2]
        before = tokens[first - 1][0].casefold() if first else ""
        after = tokens[last + 1][0].casefold() if last + 1 < len(tokens) else ""
        if _is_kind(before) or _APPOSED.match(text, end):
            yield start, end, "kind"
        elif first and tokens[first - 1][0][0].isupper():
            continue  # the end of a longer name: `Video Overviews`
        elif after in _MOVES and before not in _ARTICLES and (not german or before in _STARTS):
            yield start, end, "moves"
        elif _is_listed(text, start, end, known):
            yield start, end, "beside"


def _is_kind(word: str) -> bool:
    """`Startup`, `KI-Startup`."""
    return word.casefold() in _KINDS or word.casefold().rpartition("-")[2] in _KINDS


def _is_cue(word: str) -> bool:
    return word.casefold() in _MOVES or _is_kind(word)


def _runs(
    vocabulary: Vocabulary, text: str, tokens: Sequence[tuple[str, int, int]]
) -> Iterator[tuple[int, int]]:
    """First and last token of each run of capitals that can be a name."""
    words = [word for word, _, _ in tokens if word[0].isalpha()]
    # In a headline that writes every word large, capitals say nothing.
    shouting = sum(word[0].isupper() for word in words) > 0.7 * len(words)
    common = [vocabulary.is_common(word) for word, _, _ in tokens]
    run: list[int] = []
    for n in range(len(tokens) + 1):
        if n < len(tokens):
            word, start, _ = tokens[n]
            joined = bool(run) and text[tokens[run[-1]][2] : start] == " "
            large = word.isascii() and any(map(str.isupper, word)) and not _is_cue(word)
            if run and not joined:
                yield from _ends(tokens, run, common)
                run = []
            if large and (not common[n] or (run and (word.casefold() in _TAILS or not shouting))):
                run.append(n)
                continue
        yield from _ends(tokens, run, common)
        run = []


def _ends(
    tokens: Sequence[tuple[str, int, int]], run: Sequence[int], common: Sequence[bool]
) -> Iterator[tuple[int, int]]:
    is_name = len(run) > 1 or (run and not _NO_NAME.fullmatch(tokens[run[0]][0]))
    if is_name and len(run) <= 4 and any(not common[n] for n in run):
        yield run[0], run[-1]


_STARTS = frozenset(["", ":", "!", "?", "–", "—"])
_JOINS = re.compile(r" ?(?:,|&|/) ?(?:and |und |y )?| (?:and|und|y|e|et|or|oder|vs\.?|versus) ")


def _is_listed(text: str, start: int, end: int, known: Iterable[tuple[int, int]]) -> bool:
    """Whether a known name stands beside it in a list."""
    return any(
        _JOINS.fullmatch(text, right, start) or _JOINS.fullmatch(text, end, left) for left, right in known
    )
