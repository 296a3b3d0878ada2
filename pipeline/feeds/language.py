"""The language of an article: its script decides where it can, then a model restricted to what is at hand.

The feed's language is the prior: it wins where the text is too short or too full of brand names to tell.
"""

import re
from collections.abc import Iterable
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Enough to tell; the model's time grows with the length.
_SAMPLE = 600
# Below this the model is guessing: titles full of names score .3 to .6, clear sentences above .9.
_SURE = 0.8

_HANGUL = re.compile("[\uac00-\ud7af\u1100-\u11ff]")
_KANA = re.compile("[\u3041-\u30ff\u31f0-\u31ff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W\d_]+")
# Words with a capital or a digit inside are names (OpenAI, GPT-5, iPhone) and say nothing about the language.
_NAME = re.compile(r"\b\w*(?:[a-z][A-Z]|\d|[A-Z]{2})\w*\b")


class Detector:
    """Tells the language of texts among `languages` (ISO 639-1 codes of the registry)."""

    def __init__(self, languages: Iterable[str]) -> None:
        self.languages = frozenset(languages)

    def detect(self, title: str, text: str, prior: str) -> str:
        """The language of an article whose feed is in `prior`."""
        sample = f"{title}\n{text}"[:_SAMPLE]
        hangul, kana, han = (len(script.findall(sample)) for script in (_HANGUL, _KANA, _HAN))
        words = len(_WORD.findall(_HANGUL.sub("", _KANA.sub("", _HAN.sub("", sample)))))
        if hangul + kana + han > words:
            if hangul > kana + han:
                return "ko"
            # Chinese quotes a の now and then; Japanese headlines can be all Han, so there the feed decides.
            if kana * 10 > han or (prior == "ja" and not kana and len(sample) < 40):
                return "ja"
            return "zh"
        latin = _NAME.sub(" ", sample)
        model = _model(self.languages)
        if model is None or len(_WORD.findall(latin)) < 3:
            return prior
        language, probability = model.classify(latin)
        return str(language) if probability >= _SURE or prior not in self.languages else prior


@cache
def _model(languages: frozenset[str]) -> LanguageIdentifier | None:
    """The model for those of the languages that it knows; None where that leaves no choice.

    Loading takes most of a second: once a process.
    """
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = languages.intersection(model.labels)
    if len(known) < 2:
        return None
    model.set_languages(known)
    return model
