"""The day's conversations. Every person, order and address in them is invented."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.core.files.base import ContentFile
from django.utils import timezone, translation

from botbridge import conversation
from helpdesk.demo.files import photo_of_a_broken_screen, replacement_act
from helpdesk.demo.staff import Staff
from helpdesk.demo.story import Story
from tickets import operations
from tickets.models import DeliveryState, Notice, Priority, Team, Topic

# At the end of the 52 bits Telegram reserves for ids (Bot API, "User"): nobody real is meant, and on the sandbox's page
# its own customers stand before these.
FIRST_TELEGRAM_ID = 4_503_599_627_000_001


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def hours(number: int, minute: int = 0) -> timedelta:
    return timedelta(hours=number, minutes=minute)


def tell_conversations(staff: Staff) -> None:
    """Write every conversation through the operations, with nothing left to send."""
    tales = (
        damaged_notebook,
        refund_asked_thrice,
        warranty,
        fridge_in_kazakh,
        parcel_in_english,
        instalments,
        snoozed_repair,
        claim_of_the_strict_team,
        receipt_in_kazakh,
        solved_yesterday,
    )
    for telegram_user_id, tell in enumerate(tales, start=FIRST_TELEGRAM_ID):
        tell(staff, telegram_user_id)


def receipt(story: Story, *, ago: timedelta) -> None:
    assert story.ticket is not None
    with translation.override(story.ticket.customer.language):
        text = conversation.receipt(story.ticket, asks_topic=story.ticket.topic is None)
    story.bot_says(Notice.RECEIPT, text, ago=ago)


def topic(name: str) -> Topic:
    return Topic.objects.get(name=name)


def damaged_notebook(staff: Staff, telegram_user_id: int) -> None:
    daniyar, madina = staff.manager, staff.supervisor
    story = Story(telegram_user_id=telegram_user_id, name="Айгерим Сатпаева", username="aigerim_demo")
    story.says(
        "Здравствуйте! Заказ 719-204 привезли сегодня, коробка была вскрыта. Курьер сказал писать вам.",
        ago=hours(17, 10),
        topic=topic("Доставка и получение"),
    )
    receipt(story, ago=hours(17, 10))
    with story.at(hours(17, 8)):
        operations.take(ticket_id=story.ticket_id, actor=daniyar)
        operations.set_priority(ticket_id=story.ticket_id, actor=daniyar, priority=Priority.HIGH)
    story.answers(
        daniyar,
        "Айгерим, здравствуйте! Жаль, что так вышло. Пришлите, пожалуйста, фото коробки и ноутбука. "
        "Проверю и предложу замену.",
        ago=hours(17, 3),
    )
    story.says("И экран с полосами", ago=hours(2, 20), photo=photo_of_a_broken_screen())
    serial = story.says("Серийный номер NB14-0K7Q-2215", ago=hours(2, 18))
    story.corrects(serial, "Серийный номер NB14-0K7Q-2251", ago=hours(2, 17))
    story.notes(
        daniyar,
        "@Мадина Касымова, на складе Алматы-1 последний серый Nova Book 14. Забронируйте до 14:00, пожалуйста.",
        ago=hours(2, 10),
    )
    with story.at(hours(2, 5)):
        operations.add_tag(ticket_id=story.ticket_id, actor=madina, name="замена")
        operations.set_customer_phone(customer=story.customer(), phone="+77070004183", verified=True)
    story.answers(
        daniyar,
        "Всё видно, спасибо. Меняем на новый сегодня с 15:00 до 18:00. Курьер привезёт замену и заберёт "
        "повреждённый ноутбук, платить ничего не нужно.",
        ago=hours(2),
        uploads=[operations.Upload(name="Акт_замены_719-204.pdf", file=ContentFile(replacement_act()))],
    )
    story.answers(daniyar, "Акт подпишете при курьере, копию оставит вам.", ago=minutes(50), fate=DeliveryState.UNKNOWN)
    story.says("А если курьер не успеет до шести? Вечером меня не будет дома.", ago=minutes(28))
    story.says("Можно забрать самой из магазина на Абая?", ago=minutes(27))


def refund_asked_thrice(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Руслан Ибраев")
    story.says(
        "Добрый день. Монитор вернул 3 дня назад, заказ 718-977. Деньги не пришли.",
        ago=hours(4, 30),
        topic=topic("Возврат и обмен"),
    )
    receipt(story, ago=hours(4, 30))
    with story.at(hours(4)):
        operations.take(ticket_id=story.ticket_id, actor=staff.manager)
        operations.set_priority(ticket_id=story.ticket_id, actor=staff.manager, priority=Priority.URGENT)
    story.answers(staff.manager, "Руслан, здравствуйте. Уточняю в бухгалтерии, напишу сегодня.", ago=hours(3, 50))
    story.says("Хорошо, жду", ago=hours(3, 40))
    story.says("Третий раз пишу. Когда вернут деньги за монитор?", ago=hours(1, 12))


def warranty(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Светлана Кузьмина")
    story.says("Можно ли продлить гарантию на стиральную машину на год?", ago=minutes(40))
    receipt(story, ago=minutes(40))
    with story.at(minutes(38)):
        operations.choose_topic(ticket=story.ticket, topic=topic("Гарантия и ремонт"))  # type: ignore[arg-type]
        operations.take(ticket_id=story.ticket_id, actor=staff.colleague)
    story.answers(
        staff.colleague, "Светлана, здравствуйте! Да, пока не истекла первая. Когда покупали?", ago=minutes(33)
    )
    story.says("В марте прошлого года", ago=minutes(18))


def fridge_in_kazakh(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Нұрлан Әбдіғаппаров", language_code="kk")
    story.says("Сәлеметсіз бе! Тоңазытқышты қашан жеткізесіздер? Тапсырыс 720-031.", ago=minutes(11))
    receipt(story, ago=minutes(11))


def parcel_in_english(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Nora Lind", username="nora_demo", language_code="en")
    story.says("Hello! My order 720-118 shows as delivered, but nothing has arrived.", ago=minutes(6))
    receipt(story, ago=minutes(6))
    story.says("I was at home all day.", ago=minutes(5))


def instalments(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Константин Вознесенский")
    story.says(
        "Подскажите, можно ли оформить рассрочку на 24 месяца без переплаты?",
        ago=minutes(1),
        topic=topic("Оплата и рассрочка"),
    )
    receipt(story, ago=minutes(1))


def snoozed_repair(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Ольга Цой")
    story.says(
        "Робот-пылесос не заряжается. Когда может приехать мастер?",
        ago=hours(5),
        topic=topic("Гарантия и ремонт"),
    )
    receipt(story, ago=hours(5))
    story.answers(
        staff.colleague,
        "Ольга, здравствуйте! Завтра утром узнаю расписание мастера и напишу вам.",
        ago=hours(4, 45),
        then=operations.Then.SNOOZE,
        snooze_until=tomorrow_morning(),
    )


def claim_of_the_strict_team(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Павел Ким")
    story.says("Хочу подать письменную претензию по ремонту телефона. Куда направить?", ago=hours(7))
    receipt(story, ago=hours(7))
    with story.at(hours(6, 50)):
        claims = Team.objects.get(name="Претензии")
        operations.move_to_team(ticket_id=story.ticket_id, actor=staff.supervisor, team_id=claims.pk)
    story.answers(
        staff.colleague,
        "Павел, здравствуйте. Пришлите, пожалуйста, фото претензии сюда, зарегистрирую и назову номер.",
        ago=hours(6, 40),
    )


def receipt_in_kazakh(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Ержан Тілеубаев", language_code="kk")
    story.says("Чек поштаға келмеді, тапсырыс 719-880.", ago=hours(3))
    receipt(story, ago=hours(3))
    story.answers(staff.manager, "Ержан, сәлеметсіз бе! Чекті қайта жібердік, тексеріп көріңізші.", ago=hours(2, 40))


def solved_yesterday(staff: Staff, telegram_user_id: int) -> None:
    story = Story(telegram_user_id=telegram_user_id, name="Дарья Мельник")
    story.says("Не могу найти, куда сдать старый телевизор при покупке нового.", ago=hours(26))
    receipt(story, ago=hours(26))
    story.answers(
        staff.colleague,
        "Дарья, здравствуйте! Курьер заберёт его, когда привезёт новый: скажите оператору при подтверждении заказа.",
        ago=hours(25, 40),
    )
    story.says("Отлично, так и сделаю", ago=hours(25, 20))
    story.answers(staff.colleague, "Хорошего дня! Если что, пишите.", ago=hours(25, 10), then=operations.Then.RESOLVE)
    story.says("Спасибо", ago=hours(25))


def tomorrow_morning() -> datetime:
    """Nine o'clock of the next day where the default team works."""
    zone = ZoneInfo(Team.objects.get(is_default=True).time_zone)
    tomorrow = timezone.localdate(timezone=zone) + timedelta(days=1)
    return datetime.combine(tomorrow, time(9), tzinfo=zone)
