"""Penn Treebank tokens as Stanford's PTBTokenizer 3.4.1 makes them, on which COCO's caption scores are defined.

One pass of one expression, told by what the Java program answers and not by its grammar. Of the captions of COCO
val2017 and Flickr30k (180,084) five differ; left out are telephone numbers and other forms that captions do not have.
nltk's TreebankWordTokenizer, the nearest in Python, splits as the corpus does and not as the Java program: with it 480
of them differ, and long sentences take it many times as long.

The Java program reads all captions as one text, so that the last letter of "on 12th Avenue S." depends on the caption
that comes next; here every caption is taken as followed by another that begins with a capital.
"""

from __future__ import annotations

import re

# abbreviations keep their period: those of one line in any case, those of the second only with a capital, since they
# are words besides, the third's before a number
_ANY_CASE = """adj adm adv al ala alex apr ariz assoc asst attys aug ave bhd bldg blvd brig bros calif capt cf cie cmdr
    co col colo comdr conn corp cos cpl ct dak dec dept det dr drs ens esq est etc ext feb fla fri ft ga gen gov govs
    hon inc ind insp intl jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mfg mich minn mlle mme mo mon
    mont mr mrs ms mt mtg natl neb nev nov oct okla penn pfc ph plc prof pte pty pvt rd rep reps rev rt sen sens sep
    sept seq sfc sgt spc sq sr st ste supt sys tel tenn thu thurs tue tues univ va vs vt wed wis wisc wm wyo"""
_CAPITALISED = " Ark Az Del Ill La Mass Miss Ore Pa Tex Wash"
_BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"
# a single letter's period ends a sentence where one of these follows
_OPENERS = """A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Now
    Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet
    You"""
_CLIPPED = "'n' dunkin' somethin' ol' 'n 'em 'til 'cause"
_WORD = r"(?:[^\W_][\u0300-\u036f]*)+"
_NAMED = r"[dlnoDLNO]'[^\W\d_]{2,}|(?i:o'clock|ma'am|c'mon|cap'n|e'er|ne'er|o'er)"


def _one_of(words: str) -> str:
    return "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True))


_TOKEN = re.compile(
    rf"""
    </?[A-Za-z!][^<>]*> | -[lr][rcs]b-                             # a tag, and a bracket already written so
    | https?://[^\s"<>]*[^\s"<>.,;:!?'()] | www\.[^\s"<>()]*[^\s"<>.,;:!?'()]
    | [\w.%+-]+@\w[\w-]*(?:\.[\w-]+)* | [@\#][A-Za-z_]\w*         # addresses, names and topics
    | \d{{1,4}}[ ]\d{{1,4}}/\d{{1,4}}(?!\w)                        # 22 3/4
    | \d*(?::\d+)+                                                 # 5:54 is parted from pm
    | (?<!\w)(?:US|C|A|HK)\$
    | (?<!\w)(?:(?i:{_one_of(_ANY_CASE)})|{_one_of(_CAPITALISED + _CAPITALISED.upper())})\.(?!\w)
    | (?<!\w)(?i:{_one_of(_BEFORE_NUMBERS)})\.(?=\s*\d)
    | (?<!\w)[A-Za-z](?:\.[A-Za-z])+(?:\.?-\w+|\.(?!\w)|(?![\w.]))     # U.S. and U.S.-based
    | (?<!\w)[Pp]h\.[Dd]\.?(?!\w)
    | (?<!\w)[A-Za-z]\.(?!\w|\s*$|\s+(?:{_one_of(_OPENERS)})\b)     # an initial
    | (?i:can(?=not\b)|gon(?=na\b)|got(?=ta\b)|lem(?=me\b)|gim(?=me\b)|wan(?=na\b)|'t(?=is\b|was\b)|y'(?=all\b))
    | (?<!\w)(?i:{_one_of(_CLIPPED)})(?!\w) | (?<!\w)'\d\ds?(?![\w']) | (?<!\w)ol'(?=\w)
    | (?<!\w)(?:{_NAMED})(?!\w)
    | (?i:n['`]t)(?!\w) | '(?i:s|m|d|ll|re|ve)(?!\w)               # don't, it's
    | (?i:[^\W_]+?(?=n['`]t(?!\w)))
    | [A-Z](?:&[A-Z])+ | [A-Z]+&[A-Z]+                             # AT&T
    | [\w-]+\.(?:com|net|org|edu|gov|jpg|gif|png|html?|txt|pdf|exe|py)(?!\w)
    | (?<![^\W_])[-+]?(?:\d+(?:[.,]\d+)*|\.\d+)(?![^\W_]|[.,]\d)(?:(?:[-_/][^\W_]+)+(?![^\W_]))?   # 10.5-inch
    | (?<![\w])[^\W\d_]+(?:\.[^\W\d_]+)+(?!\w)                     # end.Next
    | {_WORD}(?:[-_/]{_WORD})*                                      # words, joined by hyphen, line or stroke
    | >?[:;=]'?-?[()DPp](?!\w)                                     # :-)
    | \.{{3,}} | -{{2,}} | [!?]+ | ([@*#_^])\1+ | \S
    """,
    re.VERBOSE,
)

_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&nbsp;": " "}
_ENTITY = re.compile("|".join(_ENTITIES), re.IGNORECASE)
_CHARACTERS = str.maketrans(
    {"“": '"', "”": '"', "\u2018": "`", "\u2019": "'", "\u2013": "--", "—": "--", "…": "...", "\xad": None}
    | {chr(code): " " for code in (*range(32), 127, 0x85, 0xA0, 0x2028, 0x2029)}
)
_WRITTEN = {
    **{"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"},
    **{"£": "#", "€": "$", "¢": "cents", "½": "1/2", "¼": "1/4", "¾": "3/4"},
}
_BRACKET = re.compile(r"[()]")


def penn_tokens(text: str) -> list[str]:
    """Lower-cased tokens of a text, punctuation among them; brackets are `-lrb-` and the like.

    Quotes stay as they are written (the Java program makes `` and '' of them; scores leave all of them out).
    """
    text = _ENTITY.sub(lambda found: _ENTITIES[found.group().lower()], text.translate(_CHARACTERS))
    return [_written(found.group()) for found in _TOKEN.finditer(text)]


def _written(token: str) -> str:
    if token in _WRITTEN:
        return _WRITTEN[token]
    if token.startswith((".", "-")) and len(token) > 1 and not token.strip(".-"):
        return "..." if token[0] == "." else "--"
    if len(token) < 6 and token[0] in ">:;=":
        token = _BRACKET.sub(lambda found: _WRITTEN[found.group()], token)  # of faces
    return token.lower().replace(" ", "\xa0")
