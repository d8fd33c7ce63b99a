"""Breaks the operations and rights one place at a time and lets the tests that pass there notice.

A pytest plugin, run by hand as docs/testing.md tells. Its mutations are mutmut's; putting them in place is not: mutmut
leaves decorated functions out, and every operation in a transaction of its own is one.
"""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import getattr_static, unwrap
from itertools import chain, zip_longest
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn

import libcst as cst
import pytest
from _pytest.runner import runtestprotocol
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

FILES = [Path("tickets/access.py"), *sorted(Path("tickets/operations").glob("*.py"))]
#: Seconds one test may take under a mutant: longer is as good as failing.
PATIENCE = 60
TRANSLATED = ("_", "gettext", "ngettext")


@dataclass(frozen=True)
class Mutant:
    file: Path
    function: str
    first_line: int  # of the function
    line: int
    before: str
    after: str
    mutation: Mutation
    module: cst.Module

    def __str__(self) -> str:
        before, after = (" ".join(code.split()) for code in (self.before, self.after))
        return f"{self.file}:{self.line} {self.function}: {before} -> {after}"

    @property
    def source(self) -> str:
        changed = self.module.deep_replace(self.mutation.original_node, self.mutation.mutated_node)
        source: str = cst.ensure_type(changed, cst.Module).code
        return source


class Visitor(MutationVisitor):
    """mutmut's, which comes to decorated functions too."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        return not isinstance(node, cst.FunctionDef) and super()._skip_node_and_children(node)


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every place mutmut would change in a function, words for people left out."""
    wrapper = MetadataWrapper(cst.parse_module(file.read_text()))
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    visitor = Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if not isinstance(function, cst.FunctionDef) or _is_wording(mutation.original_node):
            continue
        owner = parents.get(parents[function])
        within = f"{owner.name.value}." if isinstance(owner, cst.ClassDef) else ""
        yield Mutant(
            file=file,
            function=within + function.name.value,
            first_line=positions[function].start.line,
            line=positions[mutation.original_node].start.line,
            before=wrapper.module.code_for_node(mutation.original_node),
            after=wrapper.module.code_for_node(mutation.mutated_node),
            mutation=mutation,
            module=wrapper.module,
        )


def _is_wording(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.SimpleString):
        return not node.value.isascii()
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in TRANSLATED


def _function(mutant: Mutant) -> FunctionType:
    """The function itself, from under its decorators."""
    target: Any = import_module(".".join(mutant.file.with_suffix("").parts).removesuffix(".__init__"))
    for part in mutant.function.split("."):
        target = getattr_static(target, part)
    for inside in ("fget", "__func__", "func"):
        target = getattr(target, inside, target)
    function = unwrap(target)
    assert isinstance(function, FunctionType)
    return function


def _compiled(mutant: Mutant, source: str) -> CodeType:
    unread, found = [compile(source, str(mutant.file.resolve()), "exec")], None
    while unread:
        inner = [const for const in unread.pop().co_consts if isinstance(const, CodeType)]
        found = next((code for code in inner if code.co_qualname == mutant.function), found)
        unread += inner
    assert found is not None
    return found


@contextmanager
def _in_place(mutant: Mutant) -> Iterator[None]:
    function = _function(mutant)
    original, function.__code__ = function.__code__, _compiled(mutant, mutant.source)
    try:
        yield
    finally:
        function.__code__ = original


class Overdue(BaseException):
    """A mutant went round in a circle, or waits for what never comes."""


def _give_up(*_: object) -> NoReturn:
    raise Overdue


class Hunt:
    """One mutant after another, in one session: what is set up once for all tests is set up once for all mutants."""

    def __init__(self, session: pytest.Session, contexts: str) -> None:
        self.items = {item.nodeid: item for item in session.items}
        self.killers: dict[str, list[str]] = {}
        self.broken: set[str] = set()
        self.data = CoverageData(contexts)
        self.data.read()

    def outcome(self, mutant: Mutant, seconds: float) -> str:
        """What became of the mutant; a survivor has got past all its tests, or past what `seconds` allowed."""
        if _compiled(mutant, mutant.source) == _compiled(mutant, mutant.file.read_text()):
            return "not asked, a default argument"
        tests, started = self.tests(mutant), time.monotonic()
        for number, name in enumerate(tests):
            if time.monotonic() - started > seconds:
                return f"SURVIVED {number} of {len(tests)} tests"
            if self.kills(name, mutant):
                self.killers.setdefault(mutant.function, []).insert(0, name)
                return f"killed by {name}"
        return f"SURVIVED {len(tests)} tests"

    def tests(self, mutant: Mutant) -> list[str]:
        """Tests that pass the line: those that killed there before, then those of its own, then in their setup."""
        lines = self.data.contexts_by_lineno(str(mutant.file.resolve()))
        passed = [line for line, tests in lines.items() if mutant.first_line < line <= mutant.line and any(tests)]
        phases: dict[str, dict[str, list[str]]] = {"run": {}, "setup": {}, "teardown": {}}
        # The domain's own tests first: they are quicker than those that come through bot and site.
        contexts = (
            sorted(lines[max(passed)], key=lambda test: (not test.startswith("tickets/"), test)) if passed else ()
        )
        for context in contexts:
            name, _, phase = context.rpartition("|")
            if name in self.items:
                phases[phase].setdefault(name.partition("::")[0], []).append(name)
        # A test of each file in turn: the subject's own is soon among them.
        mixed = [name for files in phases.values() for row in zip_longest(*files.values()) for name in row if name]
        before = [name for name in self.killers.get(mutant.function, ()) if name in set(mixed)]
        return list(dict.fromkeys(chain(before, mixed)))

    def kills(self, name: str, mutant: Mutant) -> bool:
        """Whether the test fails with the mutant and passes without."""
        if name in self.broken:
            return False
        with _in_place(mutant):
            if not self.fails(name):
                return False
        if self.fails(name):
            self.broken.add(name)
        return name not in self.broken

    def fails(self, name: str) -> bool:
        item: Any = self.items[name]
        # Teardown goes as far as the next test asks: one of another app keeps what the whole session shares.
        top = name.partition("/")[0]
        other = next(each for path, each in self.items.items() if not path.startswith(top))
        item.session._setupstate.teardown_exact(other)
        item._initrequest()
        signal.alarm(PATIENCE)
        try:
            return any(report.failed for report in runtestprotocol(item, log=False, nextitem=other))
        except Overdue:
            return True
        finally:
            signal.alarm(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contexts", help="the file coverage wrote with --cov-context=test")
    parser.addoption("--size", type=int, default=200, help="how many mutants")
    parser.addoption("--seed", type=int, default=1)
    parser.addoption("--part", default="0/1", help="this process's share of them: 0/2 and 1/2 for two")
    parser.addoption("--seconds", type=float, default=40, help="how long one mutant may be hunted")
    parser.addoption("--only", type=Path, help="a file of mutants as the hunt prints them, instead of a sample")


def _sample(config: pytest.Config) -> list[Mutant]:
    every = [mutant for file in FILES for mutant in mutants_of(file)]
    if only := config.getoption("only"):
        named = set(only.read_text().splitlines())
        return [mutant for mutant in every if str(mutant) in named]
    part, parts = map(int, config.getoption("part").split("/"))
    return random.Random(config.getoption("seed")).sample(every, config.getoption("size"))[part::parts]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    signal.signal(signal.SIGALRM, _give_up)
    hunt = Hunt(session, session.config.getoption("contexts"))
    report = session.config.get_terminal_writer()
    for mutant in _sample(session.config):
        report.line(f"{hunt.outcome(mutant, session.config.getoption('seconds'))} | {mutant}", flush=True)
    return True
