"""How a person types formatting, as in Telegram itself: **bold**, __italic__, ~~strike~~, ||spoiler||, `code`,
```block```, [words](https://address), lines that begin with «> ».

One reader of it, `parse`, and its reverse, `marks_of`; what a preview shows and what leaves is what `parse` made. It is
wary, since people type prices, names of programs and paths as well:

- a mark of two characters opens behind a space or punctuation and closes before one, never inside a word, a path or an
  address, and in the same line; three in a row are no mark, and one that is not closed stays what was typed;
- code and addresses hold no marks, a link's words no code;
- a backslash before what could open takes its meaning away, and stands for itself anywhere else.

As Telegram takes no formatting around code, that of a sentence goes on behind the code in it.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from tickets.formatting import QUOTES, Entity, Formatted, link_address, trimmed

STYLE_OF = {"**": "bold", "__": "italic", "~~": "strikethrough", "||": "spoiler"}
MARK_OF = {style: mark for mark, style in STYLE_OF.items()}

FENCE = "```"
RUN = re.compile(r"(.)\1*", re.DOTALL)
BACKSLASHES = re.compile(r"\\*")
LINK = re.compile(r"\[(?P<words>[^\[\]\n]+)\]\((?P<address>[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)")
ADDRESS = re.compile(r"(?:https?://|tg://|www\.)[^\s<>\"«»`\\]+", re.IGNORECASE)
#: What stands behind an address more often than in it.
BEHIND_ADDRESS = "*_~|.,;:!?)»\"'”]}"
LANGUAGE = re.compile(r"([A-Za-z0-9_+#.-]{1,20})\n(?=.*\S)", re.DOTALL)
QUOTED = re.compile(r"> (?=\S)")
EMPTY_QUOTED = re.compile(r"> ?(?=\n|\Z)")
MORE_QUOTED = re.compile(r"(?:> ?\n)+> (?=\S)")

#: There are not more kinds to stand side by side.
MOST_MARKS = len(STYLE_OF)
SPECIAL = re.compile(r"[\\`\[*_~|]|https?://|tg://|www\.", re.IGNORECASE)
BEFORE_NO_MARK = frozenset(")]}\\/@=&#:*~|$")
AFTER_NO_MARK = frozenset("([{/@=&#*~|")
# «__init__.py», «**kwargs-**x»: these end a sentence only where no word goes on.
JOINTS = frozenset(".-")


@dataclass(frozen=True)
class _Span:
    """Formatting over pieces of the text, by their places."""

    kind: str
    first: int
    last: int
    order: int
    url: str = ""
    language: str = ""


@dataclass
class _Open:
    """A mark that may turn out to have opened something: the place of its piece, and which mark of the text it is."""

    style: str
    place: int
    order: int


def parse(marked: str) -> Formatted:
    """What a person typed, as the text and the formatting it means. Knows an answer to everything."""
    return _Reader(marked).read()


def typed(value: str) -> Formatted:
    """What a form's field means, without space around it; there line ends are two characters (HTML, "textarea")."""
    return trimmed(*parse(value.replace("\r\n", "\n")))


def retyped(value: str, before: Formatted) -> Formatted:
    """What the field means that stood there to change `before`: untouched, that very formatting, also what marks
    cannot say.
    """
    untouched = value.replace("\r\n", "\n") == marks_of(*before)
    return before if untouched else typed(value)


@dataclass
class _Reader:
    """Reads marks from the first character to the last, and never goes back over what it has taken as formatting."""

    source: str
    pieces: list[str] = field(default_factory=list)
    spans: list[_Span] = field(default_factory=list)
    order: int = 0

    def read(self) -> Formatted:
        at, quote = 0, None
        while at <= len(self.source):
            is_quoted, begins = self._line_start(at, in_quote=quote is not None)
            if is_quoted and quote is None:
                quote, self.order = (len(self.pieces), self.order), self.order + 1
            elif not is_quoted and quote is not None:
                self._end_quote(*quote, before_line_end=True)
                quote = None
            self._emit_line_start(at, begins, is_quoted=is_quoted)
            at = self._inline(begins, _line_end(self.source, begins), is_quoted=is_quoted)
            if at < len(self.source):
                self.pieces.append("\n")
            at += 1
        if quote is not None:
            self._end_quote(*quote, before_line_end=False)
        return self._formatted()

    def _line_start(self, at: int, *, in_quote: bool) -> tuple[bool, int]:
        """Whether the line at `at` belongs to a quotation, and where its own words begin."""
        quoted = QUOTED.match(self.source, at)
        if quoted is not None:
            return True, quoted.end()
        if in_quote and MORE_QUOTED.match(self.source, at):
            return True, _line_end(self.source, at)
        return False, at + _escaped_quote(self.source, at, in_quote=in_quote)

    def _emit_line_start(self, at: int, begins: int, *, is_quoted: bool) -> None:
        """An escaped «> » without the backslash that escapes it."""
        if not is_quoted and begins > at:
            self.pieces.append(self.source[at + 1 : begins])

    def _end_quote(self, first: int, order: int, *, before_line_end: bool) -> None:
        last = len(self.pieces) - 1 if before_line_end else len(self.pieces)
        self.spans.append(_Span("blockquote", first, last, order))

    def _inline(self, at: int, end: int, *, is_quoted: bool = False, in_link: bool = False) -> int:
        """Read to `end`, the end of a line or of a link's words; a block of code may carry on into another line.

        Returns where it stopped.
        """
        source, opened = self.source, list[_Open]()
        while at < end:
            special = SPECIAL.search(source, at, end)
            begins = special.start() if special is not None else end
            if begins > at:
                self.pieces.append(source[at:begins])
                at = begins
                continue
            character = source[at]
            if character == "\\":
                at = self._backslashes(at, end, is_quoted=is_quoted, in_link=in_link)
            elif character == "`" and not in_link:
                spans = len(self.spans)
                at = self._code(at, end, is_quoted=is_quoted)
                if self.spans[spans:] and self.spans[-1].kind == "pre":  # a line of its own: nothing goes on behind it
                    opened, end = [], _line_end(source, at)
            elif character == "[" and not in_link:
                at = self._link(at, end)
            elif character in "*_~|":
                at = self._cluster(at, end, opened)
            else:
                at = self._verbatim(at, _address_end(source, at, end) or at + 1)
        return at

    def _verbatim(self, at: int, end: int) -> int:
        self.pieces.append(self.source[at:end])
        return end

    def _backslashes(self, at: int, end: int, *, is_quoted: bool, in_link: bool) -> int:
        after = _run_end(self.source, at)
        size = _opening(self.source, after, end, behind=at, is_quoted=is_quoted, in_link=in_link)
        return self._verbatim(at + 1 if size else at, after + size)

    def _code(self, at: int, end: int, *, is_quoted: bool) -> int:
        source, begins = self.source, _run_end(self.source, at)
        ticks = begins - at
        if not _opening(source, at, end, behind=at, is_quoted=is_quoted):
            return self._verbatim(at, begins)
        closing = _closing_ticks(source, begins, ticks, len(source) if ticks == len(FENCE) else end)
        if closing is None:
            return self._verbatim(at, begins)
        body, language = source[begins:closing], ""
        if ticks == len(FENCE):
            named = LANGUAGE.match(body)
            language = named[1] if named else ""
            body = body[named.end() :] if named else body.removeprefix("\n")
            body = body.removesuffix("\n")
        elif body != body.strip():
            return self._verbatim(at, begins)
        if not body.strip():
            return self._verbatim(at, begins)
        self._span("pre" if ticks == len(FENCE) else "code", body, language=language)
        return closing + ticks

    def _span(self, kind: str, body: str, *, language: str = "") -> None:
        self.spans.append(_Span(kind, len(self.pieces), len(self.pieces) + 1, self.order, language=language))
        self.order += 1
        self.pieces.append(body)

    def _link(self, at: int, end: int) -> int:
        found = _link_at(self.source, at, end)
        if found is None:
            return self._verbatim(at, at + 1)
        first, order = len(self.pieces), self.order
        self.order += 1
        self._inline(found.start("words"), found.end("words"), in_link=True)
        self.spans.append(_Span("text_link", first, len(self.pieces), order, url=found["address"]))
        return found.end()

    def _cluster(self, at: int, end: int, opened: list[_Open]) -> int:
        """Marks that stand side by side: each closes what was opened before them, else it may open something.

        One that can close nothing, as in `__init__.py`, says that the one before it was no mark.
        """
        source = self.source
        after = _cluster_end(source, at, end)
        if after == at:
            return self._verbatim(at, max(_run_end(source, at), _marks_end(source, at, end)))
        may_open = _opening(source, at, end, behind=at) > 0
        may_close = at > 0 and not source[at - 1].isspace() and _is_edge_after(source, after, end)
        older = list(opened)
        for place in range(at, after, 2):
            mark = source[place : place + 2]
            style = STYLE_OF[mark]
            match = next((each for each in older if each.style == style and each in opened), None)
            if may_close and match is not None:
                self._close(match)
                del opened[opened.index(match) :]
                continue
            opened[:] = [each for each in opened if each.style != style]
            if may_open:
                opened.append(_Open(style, len(self.pieces), self.order))
                self.order += 1
            self.pieces.append(mark)
        return after

    def _close(self, opening: _Open) -> None:
        self.pieces[opening.place] = ""
        self.spans.append(_Span(opening.style, opening.place, len(self.pieces), opening.order))

    def _formatted(self) -> Formatted:
        text = "".join(self.pieces)
        starts = [0, *accumulate(len(piece) for piece in self.pieces)]
        units = [0, *accumulate(2 if character > "\uffff" else 1 for character in text)]
        spans = [(starts[span.first], starts[span.last], span) for span in self.spans]
        code = sorted((start, end) for start, end, span in spans if span.kind in ("code", "pre"))
        found = []
        for start, end, span in spans:
            stretches = _around(text, start, end, code) if span.kind in MARK_OF else [(start, end)]
            found += [(units[first], units[last] - units[first], span) for first, last in stretches]
        found.sort(key=lambda each: (each[0], -each[1], each[2].order))
        return Formatted(text, _without_repeats(found))


def _without_repeats(found: list[tuple[int, int, _Span]]) -> list[Entity]:
    """The entities, but for bold in bold."""
    entities: list[Entity] = []
    ends: dict[str, int] = {}
    for offset, length, span in found:
        if offset + length <= ends.get(span.kind, 0):
            continue
        ends[span.kind] = offset + length
        more = {name: value for name, value in (("url", span.url), ("language", span.language)) if value}
        entities.append({"type": span.kind, "offset": offset, "length": length, **more})
    return entities


def _around(text: str, start: int, end: int, code: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a stretch that are not code, without the space at their ends."""
    for first, last in [*((first, last) for first, last in code if start <= first and last <= end), (end, end)]:
        part = text[start:first]
        begins = start + len(part) - len(part.lstrip())
        if part.strip():
            yield begins, begins + len(part.strip())
        start = last


# ---- what stands where


def _line_end(source: str, at: int) -> int:
    end = source.find("\n", at)
    return end if end >= 0 else len(source)


def _run_end(source: str, at: int) -> int:
    """Where the repetition of the character at `at` ends."""
    run = RUN.match(source, at)
    return run.end() if run is not None else at


def _slashes_end(source: str, at: int) -> int:
    slashes = BACKSLASHES.match(source, at)
    return slashes.end() if slashes is not None else at


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_" or bool(unicodedata.combining(character))


def _marks_end(source: str, at: int, end: int) -> int:
    """Where the marks that stand side by side from `at` on end: runs of exactly two."""
    while at < end and source[at] in "*_~|":
        after = _run_end(source, at)
        if after - at != 2 or after > end:
            break
        at = after
    return at


def _cluster_end(source: str, at: int, end: int) -> int:
    """The same where they are few enough to mean something; `at` itself otherwise."""
    after = _marks_end(source, at, end)
    return after if after - at <= 2 * MOST_MARKS else at


def _before_marks(source: str, at: int, most: int) -> int:
    """Where the marks that end at `at` begin, if there are not more than `most`."""
    for _number in range(most):
        if at < 2 or source[at - 1] not in "*_~|" or source[at - 2] != source[at - 1]:
            break
        if at >= 3 and source[at - 3] == source[at - 1]:
            break
        at -= 2
    return at


def _edge_before(source: str, at: int) -> str:
    """The character before `at`, whatever marks stand between; empty at the beginning."""
    begins, left = _before_marks(source, at, MOST_MARKS), MOST_MARKS
    while begins < at and source[begins - 1 : begins] == "\\":  # marks that a backslash has made words of
        left -= (at - begins) // 2
        while begins > 0 and source[begins - 1] == "\\":
            begins -= 1
        at, begins = begins, _before_marks(source, begins, left)
    return source[begins - 1 : begins]


def _is_edge_after(source: str, at: int, end: int) -> bool:
    """Whether something may close at `at`, whatever marks stand right behind it."""
    at = _cluster_end(source, at, end)
    if at >= end:
        return True
    if source[at] == "\\":  # one that takes away the meaning of the next mark, or a path's
        at = _slashes_end(source, at)
        return at < end and source[at] in "`[*_~|"
    if source[at] in JOINTS and at + 1 < end and _is_word(source[at + 1]):
        return False
    return not (_is_word(source[at]) or source[at] in AFTER_NO_MARK)


def _opening(source: str, at: int, end: int, *, behind: int, is_quoted: bool = False, in_link: bool = False) -> int:
    """The length of what could open at `at`, were the characters from `behind` to it not there; 0 where nothing could.

    The same question decides what opens, what a backslash is for, and where `marks_of` needs one.
    """
    if at >= end:
        return 0
    if source[at] == "[" and not in_link:
        return 1 if _link_at(source, at, end) else 0
    edge = _edge_before(source, behind)
    is_edge = not edge or not (_is_word(edge) or edge in BEFORE_NO_MARK)
    # Without the backslash it would be another run.
    if not is_edge or (behind < at and source[behind - 1 : behind] == source[at]):
        return 0
    if source[at] == "`" and not in_link and edge != "`":  # two codes side by side could not be told apart
        return _opening_ticks(source, at, end, is_quoted=is_quoted)
    after = _cluster_end(source, at, end)
    return 2 if at < after < end and not source[after].isspace() else 0


def _opening_ticks(source: str, at: int, end: int, *, is_quoted: bool) -> int:
    after = _run_end(source, at)
    if after - at == len(FENCE):
        return 0 if is_quoted else len(FENCE)
    return 1 if after - at == 1 and after < end and not source[after].isspace() else 0


def _closing_ticks(source: str, at: int, ticks: int, end: int) -> int | None:
    """Where the code that began before `at` ends: at the very next such ticks, if they may close it."""
    at = source.find("`" * ticks, at, end)
    if at < 0:
        return None
    after = _run_end(source, at)
    line_end = _line_end(source, after)
    behind = _cluster_end(source, after, line_end)
    if after - at != ticks or source[behind : behind + 1] == "`" or not _is_edge_after(source, after, line_end):
        return None
    return at


def _link_at(source: str, at: int, end: int) -> "re.Match[str] | None":
    found = LINK.match(source, at, end)
    if found is None or found["words"] != found["words"].strip():
        return None
    return found if link_address(found["address"]) else None


def _address_end(source: str, at: int, end: int) -> int | None:
    """Where the address that begins at `at` ends; None where none begins."""
    found = ADDRESS.match(source, at, end)
    if found is None or (at > 0 and _is_word(source[at - 1])):
        return None
    return at + len(found[0].rstrip(BEHIND_ADDRESS))


def _escaped_quote(source: str, at: int, *, in_quote: bool) -> int:
    """The length of an escaped «> » at the beginning of a line; 0 where there is none, or nothing to escape."""
    after = _slashes_end(source, at)
    if after == at:
        return 0
    quoted = QUOTED.match(source, after) or (EMPTY_QUOTED.match(source, after) if in_quote else None)
    return quoted.end() - at if quoted is not None else 0


# ---- back again


def marks_of(text: str, entities: Iterable[Entity]) -> str:
    """What a person would have typed to get this: `parse` makes of it the same text, to the character.

    Formatting that marks cannot say (underlined, or from inside a word) is left out; where the rest could not be said
    beside it, all of it is.
    """
    marked = _Writer(text, list(entities)).write()
    return marked if parse(marked).text == text else _Writer(text, []).write()


@dataclass(frozen=True)
class _Stretch:
    """Formatting over the characters of a text from one place to another."""

    first: int
    last: int
    entity: Entity

    @property
    def kind(self) -> str:
        return str(self.entity["type"])

    @property
    def opening(self) -> str:
        return {"code": "`", "text_link": "["}.get(self.kind) or MARK_OF[self.kind]

    @property
    def closing(self) -> str:
        return f"]({self.entity['url']})" if self.kind == "text_link" else self.opening


class _Writer:
    """Writes a text with its marks, and a backslash before what would be read as one."""

    def __init__(self, text: str, entities: Iterable[Entity]) -> None:
        self.text = text
        self.lines: list[str] = []
        self.line = ""
        self.opened: list[_Stretch] = []
        stretches = _stretches(text, entities)
        self.quoted = {at for each in stretches if each.kind in QUOTES for at in range(each.first, each.last)}
        self.blocks = {each.first: each for each in stretches if each.kind == "pre" and FENCE not in _of(each, text)}
        inline = _nested(part for each in stretches for part in _in_lines(each, text))
        self.begins: dict[int, list[_Stretch]] = {}
        for each in inline:
            self.begins.setdefault(each.first, []).append(each)
        self.inserted = _inserted(inline)
        for at in self.blocks:
            self.inserted[at] = self.inserted.get(at, "") + f"{FENCE}\n"
        self.bounds = sorted(self.inserted)

    def write(self) -> str:
        at = 0
        while at <= len(self.text):
            at = self._line(at)
        return "\n".join(self.lines)

    def _line(self, at: int) -> int:
        """Write the line that begins at `at`; returns where the next one does."""
        end, is_quoted = _line_end(self.text, at), at in self.quoted
        self.line = ("> " if end > at else ">") if is_quoted else ""
        if not is_quoted and at not in self.begins and at not in self.blocks:
            at = self._escape_quote(at)
        while True:
            self._edges(at)
            if at in self.blocks:
                at = self._block(self.blocks[at])
                end = _line_end(self.text, at)
            elif at >= end:
                break
            else:
                at = self._stretch(at, end, is_quoted=is_quoted)
        self.lines.append(self.line)
        return end + 1

    def _escape_quote(self, at: int) -> int:
        """Write what would be read as the beginning of a quotation, with one backslash more; returns where it ends."""
        slashes = _slashes_end(self.text, at)
        quoted = QUOTED.match(self.text, slashes)
        if quoted is None and at - 2 in self.quoted:
            quoted = EMPTY_QUOTED.match(self.text, slashes)
        if quoted is None:
            return at
        self.line = "\\" + self.text[at : quoted.end()]
        return quoted.end()

    def _edges(self, at: int) -> None:
        """What ends here, the innermost first, and what begins."""
        while self.opened and self.opened[-1].last <= at:
            self.line += self.opened.pop().closing
        for each in self.begins.pop(at, ()):
            self.line += each.opening
            self.opened.append(each)

    def _ahead(self, at: int, to: int) -> str:
        """The text from here on with the marks that will stand in it, and no backslashes yet."""
        places = [at, *self.bounds[bisect_right(self.bounds, at) : bisect_left(self.bounds, to)]]
        parts = [self.text[first:last] + self.inserted[last] for first, last in pairwise(places)]
        return "".join(parts) + self.text[places[-1] : to]

    def _block(self, block: _Stretch) -> int:
        self.line += f"{FENCE}{block.entity.get('language', '')}\n{_of(block, self.text)}\n{FENCE}"
        return block.last

    def _stretch(self, at: int, end: int, *, is_quoted: bool) -> int:
        """Write the text to where formatting begins or ends next, or to the line's end."""
        following = bisect_right(self.bounds, at)
        stop = min(self.bounds[following], end) if following < len(self.bounds) else end
        if self.opened and self.opened[-1].kind == "code":
            self.line += self.text[at:stop]
            return stop
        link = next((each for each in self.opened if each.kind == "text_link"), None)
        read_to = end if link is None else link.last
        while at < stop:
            special = SPECIAL.search(self.text, at, stop)
            begins = special.start() if special is not None else stop
            self.line += self.text[at:begins]
            at = begins
            if at < stop:
                at = self._special(at, stop, read_to, is_quoted=is_quoted, in_link=link is not None)
        return at

    def _special(self, at: int, stop: int, read_to: int, *, is_quoted: bool, in_link: bool) -> int:
        """Write what could be read as a mark so that it is not."""
        source, place = self.line + self._ahead(at, read_to), len(self.line)
        after = place
        if source[place] == "\\":
            after = _slashes_end(source, place)
        elif source[place] not in "`[*_~|":
            after = _address_end(source, place, place + stop - at) or place + 1
            self.line += source[place:after]
            return at + after - place
        size = _opening(source, after, len(source), behind=place, is_quoted=is_quoted, in_link=in_link)
        if size:
            self.line += "\\"
            after += size
        elif after == place:
            after = _unmarked_end(source, place, place + stop - at)
        self.line += source[place:after]
        return at + after - place


def _unmarked_end(source: str, at: int, end: int) -> int:
    """Where what begins at `at` and opens nothing ends."""
    if source[at] == "[":
        return at + 1
    after = _run_end(source, at)
    many = _marks_end(source, at, end)
    return many if many - at > 2 * MOST_MARKS else after


def _inserted(nested: list[_Stretch]) -> dict[int, str]:
    """The marks that stand before each character: what ends there, the innermost first, then what begins."""
    marks: dict[int, str] = {}
    inner_first = list(reversed(nested))
    for each in sorted(inner_first, key=lambda each: (each.last, -each.first)):
        marks[each.last] = marks.get(each.last, "") + each.closing
    for each in nested:
        marks[each.first] = marks.get(each.first, "") + each.opening
    return marks


def _of(stretch: _Stretch, text: str) -> str:
    return text[stretch.first : stretch.last]


def _stretches(text: str, entities: Iterable[Entity]) -> list[_Stretch]:
    """The entities by characters, the outer before the inner; without those that lie where no character begins."""
    units = [0, *accumulate(2 if character > "\uffff" else 1 for character in text)]
    places = {unit: place for place, unit in enumerate(units)}
    found = []
    for entity in entities:
        first, last = places.get(entity["offset"]), places.get(entity["offset"] + entity["length"])
        if first is not None and last is not None:
            found.append(_Stretch(first, last, entity))
    return sorted(found, key=lambda each: (each.first, -each.last))


def _in_lines(stretch: _Stretch, text: str) -> Iterator[_Stretch]:
    """What marks can say of it: they stand in one line, next to its words, and code in ticks has none in it."""
    if stretch.kind not in (*MARK_OF, "code", "text_link"):
        return
    start = stretch.first
    for line in _of(stretch, text).split("\n"):
        first = start + len(line) - len(line.lstrip())
        last = first + len(line.strip())
        start += len(line) + 1
        if first < last and not (stretch.kind == "code" and "`" in line):
            yield _Stretch(first, last, stretch.entity)


def _nested(stretches: Iterable[_Stretch]) -> list[_Stretch]:
    """The stretches without those that would cross another's end."""
    kept: list[_Stretch] = []
    ends: list[int] = []
    for each in sorted(stretches, key=lambda each: (each.first, -each.last)):
        while ends and ends[-1] <= each.first:
            ends.pop()
        if ends and each.last > ends[-1]:
            continue
        ends.append(each.last)
        kept.append(each)
    return kept
