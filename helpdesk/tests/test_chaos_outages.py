"""What a monitor must see of an outage, and what is said where it did not."""

import random

import pytest

from helpdesk.chaos.outages import DATABASE, LONGEST, SHORTEST, TELEGRAM, Answer, Outage, judge, plan

BEGAN, ENDED = 100.0, 120.0
AWAY = Outage(TELEGRAM, ENDED - BEGAN)


def green(at: float) -> Answer:
    return Answer(at, 200)


def red(at: float, *failing: str) -> Answer:
    return Answer(at, 503, failing or ("bot",))


def wrong(*answers: Answer, outage: Outage = AWAY, ended: float = ENDED) -> list[str]:
    return judge(outage, BEGAN, ended, answers).wrong


def test_red_soon_after_the_beginning_and_green_soon_after_the_end_is_well():
    seen = judge(AWAY, BEGAN, ENDED, [green(99), green(100.2), red(101), red(119), red(121), green(123)])
    assert (seen.red, seen.green, seen.wrong) == (1, 3, [])


def test_an_outage_nobody_is_told_of_is_wrong():
    assert wrong(green(101), green(119), green(121)) == ["health never said it"]


def test_an_outage_over_before_it_could_be_known_is_not():
    seen = judge(Outage(TELEGRAM, 2), BEGAN, 102, [green(101), green(103)])
    assert (seen.red, seen.wrong) == (None, [])


def test_of_silence_nobody_can_know_before_a_poll_is_overdue():
    answers = (green(109), green(121))
    assert wrong(*answers, outage=Outage(TELEGRAM, 10, silent=True), ended=110) == []
    assert wrong(*answers, outage=Outage(TELEGRAM, 20, silent=True)) != []


def test_what_is_not_known_is_not_taken_back():
    silence = Outage(TELEGRAM, 9, silent=True)
    assert wrong(green(109.5), green(111), outage=silence, ended=110) == []


def test_red_too_late_is_wrong():
    assert wrong(green(101), red(110), green(121)) == ["health said it only after 10.0 s"]


def test_green_while_it_lasts_is_wrong():
    assert wrong(red(101), green(110), red(111), green(121)) == ["health took it back while it lasted"]


def test_another_part_named_is_wrong():
    answers = (red(101, "database"), red(102, "database"), green(121))
    assert wrong(*answers, outage=Outage(DATABASE, 20)) == []
    assert wrong(*answers) == ["health named another part"]


def test_no_answer_is_wrong():
    assert wrong(red(101), Answer(105, None), green(121)) == ["health did not answer"]


@pytest.mark.parametrize("after", [(), (red(121), green(190))])
def test_what_is_never_well_again_or_late_is_wrong(after: tuple[Answer, ...]):
    assert wrong(red(101), *after) == ["health was not well 60 s after its end"]


def test_a_plan_has_the_shortest_and_the_longest_of_each_kind():
    outages = plan(10, LONGEST, random.Random(1), database_stops=True)
    for kind in (TELEGRAM, DATABASE):
        lengths = [outage.seconds for outage in outages if outage.of == kind]
        assert len(lengths) == 10
        assert (min(lengths), max(lengths)) == (SHORTEST, LONGEST)
    assert sum(outage.silent for outage in outages) == 3
    assert outages == plan(10, LONGEST, random.Random(1), database_stops=True), "the same dice make the same plan"


def test_a_file_does_not_go_away():
    assert {outage.of for outage in plan(10, LONGEST, random.Random(1), database_stops=False)} == {TELEGRAM}
