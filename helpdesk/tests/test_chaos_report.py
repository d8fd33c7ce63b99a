"""The report of a chaos run says what befell the product, what came of it, and what was wrong."""

from helpdesk.chaos.kills import AT_RANDOM
from helpdesk.chaos.report import Found, markdown

GOOD = Found(
    database="SQLite 3.40.1",
    trouble="locked for 25 s",
    updates=3000,
    replies=1500,
    kills={AT_RANDOM: 18, "after-http": 3},
    calls=2600,
    faults={"429": 80},
    sent=1400,
    unsure_came=60,
    unsure_lost=40,
    counts={"lost": 0},
)
BAD = Found(
    database="PostgreSQL 15.20, a cluster of its own",
    trouble="stopped",
    kills={AT_RANDOM: 20},
    counts={"lost": 1},
    outages=[
        {"of": "Telegram", "silent": True, "seconds": 9.0, "red": None, "green": 0.2, "wrong": []},
        {"of": "database", "silent": False, "seconds": 30.0, "red": 0.3, "green": None, "wrong": ["never well again"]},
    ],
    wrong=["lost: chat 1, message 2"],
)


def test_databases_stand_side_by_side():
    text = markdown([GOOD, BAD], ["a fact"])

    assert "- a fact" in text
    assert "- PostgreSQL 15.20, a cluster of its own; in trouble: stopped" in text
    assert "| | SQLite 3.40.1 | PostgreSQL 15.20 |" in text
    assert "| updates | 3,000 | 0 |" in text
    assert "| kills | 21 | 20 |" in text
    assert "| … after-http | 3 | 0 |" in text
    assert "| … 429 | 80 | 0 |" in text
    assert "| **lost** | 0 | 1 |" in text


def test_outages_say_what_a_monitor_saw():
    text = markdown([BAD], [])

    assert "| Telegram | silent | 9.0 | – | 0.2 | over before it could be known |" in text
    assert "| database | refused | 30.0 | 0.3 | – | never well again |" in text


def test_what_is_wrong_is_told_line_by_line_and_else_there_is_no_such_part():
    assert "### Wrong" not in markdown([GOOD], [])
    assert "### Wrong, PostgreSQL 15.20\n\n- lost: chat 1, message 2" in markdown([BAD], [])
