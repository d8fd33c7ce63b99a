"""What the domain knows about written words: length as Telegram counts it, unstorable characters, bare thanks."""

import re
import unicodedata

MAX_TEXT = 4096  # sendMessage.text, in UTF-16 code units (Bot API, "sendMessage")
#: A reply may be longer than a message of Telegram's, and leaves in pieces then.
MAX_REPLY = 20_000
#: Of a text in pieces each is a little shorter than a message may be: who writes stands above the first.
PIECE = 3900
MAX_CAPTION = 1024  # caption of a file, in UTF-16 code units (Bot API, "sendPhoto")

UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"

# «Спасибо» after a solved question is no new question: at most four words, none of them a negation.
MAX_THANKS_WORDS = 4
THANKS = (
    "спасибо",
    "благодарю",
    "спс",
    "ок",
    "окей",
    "хорошо",
    "понятно",
    "рақмет",
    "рахмет",
    "көп рақмет",
    "рақмет сізге",
    "жарайды",
    "түсінікті",
    "raqmet",
    "rahmet",
    "thanks",
    "thank you",
    "спасибо большое",
    "большое спасибо",
    "👍",
    "🙏",
    "❤",
)
_THANKS_BY_LENGTH = sorted((tuple(phrase.split()) for phrase in THANKS), key=len, reverse=True)
# Skin tones and the emoji selector change the look of 👍, not its meaning.
_DECORATION = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")


def utf16_length(text: str) -> int:
    """The length of `text` in UTF-16 code units, the measure of every Bot API limit and entity offset."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def pieces_of(text: str) -> list[str]:
    """The texts of the messages a reply leaves in, one where it fits into one."""
    return [text[start:end] for start, end in piece_spans(text)]


def piece_spans(text: str) -> list[tuple[int, int]]:
    """Where each message of a reply begins and ends, in characters.

    Cut behind a paragraph, a line or a word, in this order, unless that would waste half a message. The composer counts
    by the same rule (static/js/composer.js).
    """
    if utf16_length(text) <= MAX_TEXT:
        return [(0, len(text))]
    spans, start = [], 0
    while utf16_length(text[start:]) > PIECE:
        head = text[start:].encode("utf-16-le")[: 2 * PIECE].decode("utf-16-le", "ignore")
        ends = (head.rfind(end) for end in ("\n\n", "\n", " "))
        cut = next((end for end in ends if end > 0 and utf16_length(head[:end]) > PIECE // 2), len(head))
        spans.append((start, start + len(head[:cut].rstrip())))
        start += cut
        start += len(text[start:]) - len(text[start:].lstrip())
    return [*spans, (start, len(text))] if start < len(text) else spans


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates replaced by U+FFFD: PostgreSQL refuses both."""
    return UNSTORABLE.sub(REPLACEMENT, text)


def is_bare_thanks(text: str) -> bool:
    """Whether `text` is nothing but thanks or assent, so that a solved ticket may stay solved.

    The whole text must be made of phrases from the list: «спасибо, но…» is not, and neither is anything with a
    question mark or a digit.
    """
    if "?" in text:
        return False
    words = _words(text)
    if not 0 < len(words) <= MAX_THANKS_WORDS:
        return False
    position = 0
    while position < len(words):
        phrase = next((p for p in _THANKS_BY_LENGTH if tuple(words[position : position + len(p)]) == p), None)
        if phrase is None:
            return False
        position += len(phrase)
    return True


def _words(text: str) -> list[str]:
    plain = _DECORATION.sub("", unicodedata.normalize("NFC", text).casefold())
    spaced = re.sub(r"([👍🙏❤])", r" \1 ", plain)
    return re.sub(r"[^\w\s👍🙏❤]", " ", spaced).split()
