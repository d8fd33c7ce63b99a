"""What the desk shows of a customer."""

import pytest

from tickets.models import Customer


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("+77075554183", "+7 707 ••• 41 83"),
        ("77075554183", "7 707 ••• 41 83"),
        ("7075554183", "707 ••• 41 83"),
        ("112", "•••"),
        ("", ""),
    ],
)
def test_the_middle_of_a_phone_is_hidden(phone: str, shown: str) -> None:
    assert Customer(phone=phone).masked_phone == shown
