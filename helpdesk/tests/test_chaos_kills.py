"""A plan of kills has every point in it, and is the same for the same dice."""

import random
from collections import Counter

import pytest

from botbridge import crash
from helpdesk.chaos.kills import AT_RANDOM, plan


@pytest.mark.parametrize(("count", "at_each_point"), [(7, 1), (30, 2), (36, 3)])
def test_each_point_has_its_kills_and_the_others_are_at_random(count: int, at_each_point: int):
    points = Counter(kill.point for kill in plan(count, random.Random(1)))

    assert points.total() == count
    assert {points[point] for point in crash.OF_THE_BOT} == {at_each_point}
    assert points[AT_RANDOM] == count - len(crash.OF_THE_BOT) * at_each_point


def test_the_same_dice_make_the_same_plan():
    assert plan(36, random.Random(1)) == plan(36, random.Random(1)) != plan(36, random.Random(2))
