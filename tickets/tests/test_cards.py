import pytest

from tickets.cards import masked, numbers_in
from tickets.text import utf16_length

VISA = "4111111111111111"

CARDS = [
    ("4111 1111 1111 1111", "•••• •••• •••• 1111"),
    ("4111-1111-1111-1111", "••••-••••-••••-1111"),
    ("4111\u00a01111\u20091111 – 1111", "••••\u00a0••••\u2009•••• – 1111"),
    ("Карта 5555555555554444, Тимур", "Карта ••••••••••••4444, Тимур"),
    ("карта4111111111111111", "карта••••••••••••1111"),
    ("2200 0000 0000 0053", "•••• •••• •••• 0053"),
    ("2223 0031 2200 3222", "•••• •••• •••• 3222"),
    ("378282246310005", "•••••••••••0005"),
    ("3782 822463 10005", "•••• •••••• •0005"),
    ("6212 3456 7890 1234 569", "•••• •••• •••• •••4 569"),
    ("3056 930902 5904", "•••• •••••• 5904"),
    ("8600 1234 5678 9004", "•••• •••• •••• 9004"),
    ("6759 6498 2643 8453", "•••• •••• •••• 8453"),
    ("4222 2222 2222 2", "•••• •••• •222 2"),
    ("41 11 11 11 11 11 11 11", "•• •• •• •• •• •• 11 11"),
    # What else people write beside it.
    ("4111 1111 1111 1111 12/27 123", "•••• •••• •••• 1111 12/27 123"),
    ("заказ 12345 4111 1111 1111 1111", "заказ 12345 •••• •••• •••• 1111"),
    ("4111111111111111 5555555555554444", "••••••••••••1111 ••••••••••••4444"),
    ("4111 1111 1111 1111 5555 5555 5555 4444", "•••• •••• •••• 1111 •••• •••• •••• 4444"),
    # Digits of other scripts: fullwidth, Arabic, and mathematical ones of two code units each.
    ("４１１１ １１１１ １１１１ １１１１", "•••• •••• •••• １１１１"),
    ("٤١١١١١١١١١١١١١١١", "••••••••••••١١١١"),
    ("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "•" * 24 + "𝟏𝟏𝟏𝟏"),
]


@pytest.mark.parametrize(("written", "shown"), CARDS)
def test_of_a_card_number_the_last_four_digits_are_left(written: str, shown: str) -> None:
    assert masked(written) == shown
    assert utf16_length(shown) == utf16_length(written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+7 707 123 45 67",
        "8 707 123-45-67, 8 (727) 250-00-00",
        "+4 111 111 111 111 111",
        "4111 1111 1111 1112",  # the last digit is wrong
        "KZ86 125K ZT50 0410 0100",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "IBAN FR76 3000 6000 0112 3456 7890 189",
        "FR764111111111111111",
        "40817810099910004312",  # an account, twenty digits
        "ИИН 880101300123",
        "356938035643809",  # IMEI: its last digit is right too
        "4870001234560",  # a barcode of Kazakhstan
        "4222222222222",  # thirteen at one go are a barcode's
        "30569309025904",  # fourteen at one go are a parcel's
        "8970101234567890127",  # SIM card
        "2026-11-28 12:30:45 28.11.2026 1764288645123",
        "заказ 1234567890123456",  # nobody issues cards with 12
        "order_4111111111111111",
        "0a1b4111111111111111",
        "4111\n1111\n1111\n1111",
        "4111.1111.1111.1111",
    ],
)
def test_other_numbers_stay_as_they_are(text: str) -> None:
    assert masked(text) == text
    assert numbers_in(text) == []


def test_the_numbers_are_told_once_each_in_plain_digits() -> None:
    assert numbers_in("4111 1111 1111 1111 и ５５５５555555554444", f"снова {VISA}") == [VISA, "5555555555554444"]


def test_what_is_masked_is_no_number_any_more() -> None:
    assert numbers_in(masked(f"{VISA} 4111 1111 1111 1111")) == []


@pytest.mark.parametrize("text", ["4" * 100_000, "4 " * 50_000, "4111 " * 20_000, "4111 1111 111\n" * 7_000])
def test_a_hundred_thousand_characters_take_no_longer_than_once_through(text: str) -> None:
    assert utf16_length(masked(text)) == len(text)
