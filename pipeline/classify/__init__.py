"""From an Article to an Assessment: lexicon, matcher, signals, verdict. Pure: no file, socket or clock."""

from .classifier import Classifier, Settings
from .lexicon import LexiconError

__all__ = ["Classifier", "LexiconError", "Settings"]
