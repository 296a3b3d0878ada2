"""The pages that stand in for a document where a server wants to see a person. Pure."""

import re

# What the walls of the large hosters put into their pages.
_CHALLENGE = re.compile(
    r"cf-chl|challenge-platform|just a moment\.\.\.|attention required!|captcha|_incapsula_|ddos-guard"
    r"|access denied|verify you are human|enable javascript and cookies",
    re.IGNORECASE,
)
CHALLENGE = "challenge", "the server sent a page that wants to see a person, not the feed"


def is_challenge(page: str) -> bool:
    """Whether a page that is no feed wants to see a person."""
    return _CHALLENGE.search(page) is not None
