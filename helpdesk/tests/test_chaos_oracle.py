"""The oracle of the kill runs notices each kind of wrong, and nothing where all is well."""

import pytest

from helpdesk.chaos.oracle import (
    Arrival,
    Photo,
    Reply,
    Sentence,
    Verdict,
    Words,
    judge_incoming,
    judge_once,
    judge_photos,
    judge_replies,
    judge_sentences,
)
from tickets.models import AttachmentState, DeliveryState

CHAT, OTHER = 700_001, 700_002
TOLD = [Words(1, "Раз"), Words(2, "Два"), Words(4, "Три")]

NOTHING = Verdict()


def reply(number: int, state: DeliveryState = DeliveryState.SENT, **known: object) -> Reply:
    """In one part, which came as Telegram's message 100 and the number, and is known as that."""
    facts: dict[str, object] = {
        "chat": CHAT,
        "parts": 1,
        "rows": 1,
        "parts_sent": int(state == DeliveryState.SENT),
        "is_shown": state == DeliveryState.UNKNOWN,
        "known": frozenset({100 + number}),
    }
    return Reply(number=number, state=state, **(facts | known))


def came(number: int, *, part: int = 0, chat: int = CHAT) -> Arrival:
    return Arrival(chat, 100 + number, number, part)


# What customers write.

PLACE = (CHAT, 1)


def test_what_is_kept_as_it_was_told_is_well():
    assert judge_incoming({CHAT: TOLD, OTHER: TOLD[:1]}, {CHAT: TOLD, OTHER: TOLD[:1]}) == NOTHING


def test_a_message_that_is_missing_is_lost():
    verdict = judge_incoming({CHAT: TOLD}, {CHAT: [TOLD[0], TOLD[2]]})
    assert verdict == Verdict(lost=["chat 700001, message 2: 'Два'"])


def test_a_chat_that_is_missing_is_lost():
    assert len(judge_incoming({CHAT: TOLD}, {}).lost) == 3


def test_a_message_with_other_words_is_lost():
    verdict = judge_incoming({CHAT: TOLD[:1]}, {CHAT: [Words(1, "Р")]})
    assert verdict == Verdict(lost=["chat 700001, message 1 reads 'Р', not 'Раз'"])


def test_a_message_that_is_there_twice_is_doubled():
    verdict = judge_incoming({CHAT: TOLD}, {CHAT: [*TOLD, TOLD[2]]})
    assert verdict == Verdict(doubled=["chat 700001, message 4 is there 2 times"])


def test_a_message_nobody_sent_is_doubled():
    verdict = judge_incoming({CHAT: TOLD}, {CHAT: [*TOLD, Words(None, "Три")]})
    assert verdict == Verdict(doubled=["chat 700001, message None is there 1 times"])


def test_a_photo_in_its_album_with_its_file_is_well():
    assert judge_photos({PLACE: "7"}, {PLACE: Photo("7", (AttachmentState.READY,))}) == NOTHING


@pytest.mark.parametrize("files", [(), ("torn",), (AttachmentState.FAILED,), (AttachmentState.GONE,)])
def test_a_photo_without_its_file_is_lost(files: tuple[str, ...]):
    assert len(judge_photos({PLACE: "7"}, {PLACE: Photo("7", files)}).lost) == 1


def test_a_photo_that_is_there_twice_is_doubled():
    assert judge_photos({PLACE: "7"}, {PLACE: Photo("7", (AttachmentState.READY,) * 2)}).doubled


def test_a_photo_still_to_be_fetched_is_named():
    assert judge_photos({PLACE: "7"}, {PLACE: Photo("7", (AttachmentState.PENDING,))}).unsettled


def test_a_photo_apart_from_its_album_is_out_of_order():
    assert judge_photos({PLACE: "7"}, {PLACE: Photo("", (AttachmentState.READY,))}).disordered


def test_messages_that_have_changed_places_are_out_of_order():
    verdict = judge_incoming({CHAT: TOLD}, {CHAT: [TOLD[1], TOLD[0], TOLD[2]]})
    assert verdict == Verdict(disordered=["chat 700001: message 1 stands behind a later one"])


def test_the_order_is_the_one_telegram_told_them_in_not_that_of_their_numbers():
    late = [TOLD[0], TOLD[2], TOLD[1]]
    assert judge_incoming({CHAT: late}, {CHAT: late}) == NOTHING


# What the manager replies.


def test_replies_that_came_once_or_are_shown_as_unsure_are_well():
    replies = [reply(1), reply(2, DeliveryState.UNKNOWN), reply(3, DeliveryState.UNKNOWN), reply(4)]
    assert judge_replies(replies, [came(1), came(3), came(4)]) == NOTHING


def test_a_reply_that_is_not_there_is_lost():
    assert judge_replies([reply(1, rows=0)], [came(1)]).lost == ["reply 1 (sent) is not there"]


def test_a_tick_for_what_never_came_is_a_loss():
    assert judge_replies([reply(1)], []) == Verdict(lost=["reply 1 (sent): part 0 has a tick and never came"])


def test_a_part_that_never_came_is_lost_though_the_others_did():
    whole = reply(1, parts=3, known=frozenset({101}))
    verdict = judge_replies([whole], [came(1), came(1, part=2)])
    assert verdict == Verdict(lost=["reply 1 (sent): part 1 has a tick and never came"])


def test_of_an_unsure_reply_the_parts_before_the_unsure_one_must_have_come():
    unsure = reply(1, DeliveryState.UNKNOWN, parts=3, parts_sent=1)
    assert judge_replies([unsure], [came(1)]) == NOTHING
    assert judge_replies([unsure], []).lost == ["reply 1 (unknown): part 0 has a tick and never came"]


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.HELD, DeliveryState.CANCELLED])
def test_a_reply_given_up_though_nobody_refused_it_is_lost(state: DeliveryState):
    assert judge_replies([reply(1, state)], []).lost == [f"reply 1 ({state}), though Telegram refused nothing"]


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.SENDING])
def test_a_reply_still_on_its_way_is_named(state: DeliveryState):
    assert judge_replies([reply(1, state)], []) == Verdict(unsettled=[f"reply 1 ({state})"])


def test_a_reply_the_desk_holds_twice_is_doubled():
    assert judge_replies([reply(1, rows=2)], [came(1)]) == Verdict(doubled=["reply 1 (sent) is there 2 times"])


def test_a_reply_nobody_wrote_is_doubled():
    verdict = judge_replies([], [came(9)])
    assert verdict == Verdict(doubled=["reply 9, which nobody wrote, was delivered"])


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.UNKNOWN])
def test_a_part_that_came_twice_was_sent_twice(state: DeliveryState):
    verdict = judge_replies([reply(1, state)], [came(1), came(1)])
    assert verdict == Verdict(sent_twice=[f"reply 1 ({state}), part 0: 2 times"])


def test_a_reply_in_anothers_chat_is_not_only_lost():
    assert judge_replies([reply(1)], [came(1, chat=OTHER)]).sent_twice == ["reply 1 (sent) in chat 700002, another's"]


def test_a_reply_that_overtook_another_is_out_of_order():
    verdict = judge_replies([reply(1), reply(2)], [came(2), came(1)])
    assert verdict == Verdict(disordered=["chat 700001: part 0 of reply 1 came behind a later one"])


def test_parts_that_changed_places_are_out_of_order():
    parts = [came(1, part=1), came(1)]
    assert len(judge_replies([reply(1, parts=2)], parts).disordered) == 1


def test_chats_do_not_wait_for_each_other():
    replies = [reply(1), reply(2, chat=OTHER)]
    assert judge_replies(replies, [came(2, chat=OTHER), came(1)]) == NOTHING


def test_doubt_nobody_is_told_of_is_hidden():
    verdict = judge_replies([reply(1, DeliveryState.UNKNOWN, is_shown=False)], [])
    assert verdict == Verdict(hidden=["reply 1 (unknown): its ticket bears no sign"])


def test_a_part_whose_number_was_not_noted_could_not_be_answered():
    assert judge_replies([reply(1, known=frozenset())], [came(1)]).lost == [
        "reply 1 (sent): nobody could answer its part 0"
    ]


# What the bot says.


def test_sentences_that_are_alike_are_counted():
    said = [Sentence(CHAT, "Принято", state) for state in (DeliveryState.SENT, DeliveryState.UNKNOWN)]
    for count in (1, 2):
        assert judge_sentences(said, [(CHAT, "Принято")] * count) == NOTHING
    assert judge_sentences(said, []).lost == ["chat 700001: 'Принято' has 1 ticks and came 0 times"]
    assert judge_sentences(said, [(CHAT, "Принято")] * 3).sent_twice == ["chat 700001: 'Принято' came 3 times for 2"]


def test_a_sentence_nobody_said_was_sent_once_too_often():
    assert judge_sentences([], [(CHAT, "Принято")]).sent_twice == ["chat 700001: 'Принято' came 1 times for 0"]


def test_a_sentence_that_has_expired_need_not_come():
    assert judge_sentences([Sentence(CHAT, "Принято", DeliveryState.CANCELLED)], []) == NOTHING


def test_a_sentence_still_on_its_way_is_named():
    assert judge_sentences([Sentence(CHAT, "Принято", DeliveryState.QUEUED)], []).unsettled == [
        "chat 700001: 'Принято'"
    ]


def test_what_has_to_be_there_once_is_missed_and_counted():
    verdict = judge_once("update", {1: 1, 2: 2}, [1, 2, 3])
    assert verdict == Verdict(lost=["update 3"], doubled=["update 2: 2 times"])


def test_verdicts_add_up_and_name_each_kind():
    both = Verdict(lost=["this"]) + Verdict(lost=["that"], sent_twice=["another"])
    assert both.wrong == ["lost: this", "lost: that", "sent_twice: another"]
    assert NOTHING.wrong == []
