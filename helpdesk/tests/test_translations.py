"""Every text a person sees is there in Kazakh and English, with the same places for values.

The texts are gathered from the sources themselves, so that no gettext tools are needed to find a missing one.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation.template import templatize

from tickets.models import Language

SINGULAR = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL = {"ngettext", "ngettext_lazy"}
# What templatize leaves of a template: gettext('…'), _('…') and ngettext('…','…',count).
IN_TEMPLATE = re.compile(
    r"\b(?:n?gettext|_)\((u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))(?:, ?u?('(?:[^'\\]|\\.)*'))?"
)
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|</?\w+>")
CYRILLIC = re.compile("[А-Яа-яЁё]")
# A language is named in itself.
OWN_NAMES = re.compile("|".join(Language.labels))
# Shown when something has failed, which may be the translations.
STANDS_ALONE = "500.html"


def sources(pattern: str) -> Iterator[Path]:
    for folder in ("helpdesk", "tickets", "botbridge", "templates"):
        yield from (path for path in (settings.BASE_DIR / folder).rglob(pattern) if "tests" not in path.parts)


def in_python(path: Path) -> Iterator[tuple[str, ...]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
        wanted = 1 if name in SINGULAR else 2 if name in PLURAL else 0
        texts = [each.value for each in node.args[:wanted] if isinstance(each, ast.Constant)]
        if wanted and len(texts) == wanted:
            yield tuple(str(text) for text in texts)


def in_template(path: Path) -> Iterator[tuple[str, ...]]:
    for found in IN_TEMPLATE.finditer(templatize(path.read_text())):
        yield tuple(ast.literal_eval(text) for text in found.groups() if text)


@cache
def texts() -> dict[tuple[str, ...], Path]:
    """Every text in the code, with its plural where it has one, and a file it stands in."""
    found = {text: path for path in sources("*.py") for text in in_python(path)}
    return found | {text: path for path in sources("*.html") for text in in_template(path)}


@cache
def catalogue(language: str) -> dict[str | tuple[str, int], str]:
    """What the compiled catalogue holds: plural forms stand under (text, form)."""
    with (settings.BASE_DIR / "locale" / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        return GNUTranslations(file)._catalog  # type: ignore[attr-defined,no-any-return]


def is_translated(language: str, text: tuple[str, ...]) -> bool:
    key = text[0] if len(text) == 1 else (text[0], 0)
    return bool(catalogue(language).get(key))


def is_ours(text: tuple[str, ...]) -> bool:
    """Django's own words have English msgids and come with Django's translations."""
    return bool(CYRILLIC.search(text[0]))


def test_texts_are_found_in_the_code() -> None:
    assert len(texts()) > 500
    assert ("Решить",) in texts()
    assert any(len(text) == 2 for text in texts())


@pytest.mark.parametrize("language", ["kk", "en"])
def test_every_text_is_translated(language: str) -> None:
    ours = {text: path for text, path in texts().items() if is_ours(text)}
    missing = [f"{path.name}: {text[0]}" for text, path in ours.items() if not is_translated(language, text)]
    assert not missing, "Run make messages and translate in locale/:\n" + "\n".join(missing)


@pytest.mark.parametrize("language", ["ru", "kk", "en"])
def test_translations_keep_the_places_for_values(language: str) -> None:
    for key, translated in catalogue(language).items():
        text = key[0] if isinstance(key, tuple) else key
        if text:
            assert set(PLACES.findall(translated)) == set(PLACES.findall(text)), (text, translated)
            assert translated.endswith(" ") == text.endswith(" "), (text, translated)


def test_numbers_decline_in_russian() -> None:
    missing = [text[0] for text in texts() if len(text) == 2 and not is_translated("ru", text)]
    assert not missing
    with translation.override("ru"):
        said = [ngettext("%(n)s новое сообщение", "%(n)s новых сообщений", n) % {"n": n} for n in (1, 2, 5, 11, 21)]
    assert said == [
        "1 новое сообщение",
        "2 новых сообщения",
        "5 новых сообщений",
        "11 новых сообщений",
        "21 новое сообщение",
    ]


def test_languages_speak_their_own() -> None:
    for language, word in (("ru", "Решить"), ("kk", "Шешу"), ("en", "Solve")):
        with translation.override(language):
            assert gettext("Решить") == word


def test_nothing_is_said_in_templates_without_a_translation() -> None:
    spoken = re.compile(
        r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}|{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL
    )
    for path in sources("*.html"):
        if path.name == STANDS_ALONE:
            continue
        for number, line in enumerate(spoken.sub(_blank, path.read_text()).splitlines(), start=1):
            assert not CYRILLIC.search(OWN_NAMES.sub("", line)), f"{path}:{number}: {line.strip()}"


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def test_scripts_take_their_words_from_the_page() -> None:
    comments = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
    for path in (settings.BASE_DIR / "static").rglob("*.js"):
        assert not CYRILLIC.search(comments.sub("", path.read_text())), path
