"""A ticket's messages: the conversation, replies, notes, and what a customer said elsewhere."""

import uuid
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from tickets import access, operations
from tickets.access import Program
from tickets.api.fields import Id, Moment, Text
from tickets.api.pages import MAX_LIMIT, PageQuery, Pagination, total_of
from tickets.api.parsers import FormParser, JSONParser
from tickets.api.permissions import OpenToPrograms
from tickets.api.repeats import MAX_KEY, once
from tickets.api.schema import problems
from tickets.api.strict import FILES, AnyRequest, ApiRequest, StrictSerializer, read_body, read_query
from tickets.api.tickets import find_ticket
from tickets.files import MAX_FILES
from tickets.formatting import KINDS, MAX_URL
from tickets.models import (
    AlterationKind,
    AlterationState,
    Attachment,
    AttachmentState,
    ContentType,
    DeliveryState,
    Message,
    Obstacle,
    Scope,
    Sender,
    Ticket,
    User,
)
from tickets.operations import NotAllowed, Seen, Upload

#: Without parameters a client gets the whole conversation, as ever, up to this; `pagination.next` leads to the rest.
WHOLE = 1000
MEDIA_TYPES = [
    kind.value
    for kind in (ContentType.PHOTO, ContentType.VIDEO, ContentType.DOCUMENT, ContentType.VOICE, ContentType.AUDIO)
]
#: As many as Telegram shows in one message.
MAX_ENTITIES = 100
#: The caller's own ids made into the message's, so that the desk and the API share one guard against doubles.
NAMESPACE = uuid.UUID("6f0c7a52-6d5e-4d0b-9a43-1f6a1c0d7d11")
ONLY_TEXT = _("Со слов клиента записывают только текст.")


class FileOut(serializers.Serializer[Any]):
    """A file of a message; `url` is there once the file is."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="file_name")
    mediaType = serializers.CharField(source="kind")
    contentType = serializers.CharField(source="sniffed_type")
    size = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=AttachmentState.choices)
    url = serializers.SerializerMethodField()

    def get_url(self, attachment: Attachment) -> str | None:
        if attachment.state != AttachmentState.READY:
            return None
        ticket_id = self.context["ticket_id"]
        where = {"ticket_id": ticket_id, "attachment_id": attachment.pk}
        return str(reverse("api:file", kwargs=where, request=self.context["request"]))


class AlterationOut(serializers.Serializer[Any]):
    """The last change of a message Telegram has already, and how far it has come there. `text` is the new text, or the
    emoji of a reaction; where the change did not come about, the message's own `text` is what the customer sees.
    """

    kind = serializers.ChoiceField(choices=AlterationKind.choices)
    state = serializers.ChoiceField(choices=AlterationState.choices)
    obstacle = serializers.ChoiceField(choices=Obstacle.choices, allow_blank=True)
    text = serializers.CharField()


class MessageOut(serializers.Serializer[Any]):
    """A message. `deliveryState` is null for what needs no delivery. `quotedText` is the part of a message that was
    quoted, or the words of one this ticket does not hold; `forwardedFrom` who said first what the customer passed on.

    `reactions` are the customer's: emoji, or the Bot API's kind of one that is none (`custom_emoji`, `paid`);
    `ourReaction` is the one under the customer's message, empty where there is none.

    `authorName` is the name colleagues use; service accounts get the one customers read, and neither `author` nor
    `serviceAccount`, the program a customer's message came through.
    """

    id = serializers.IntegerField()
    ticketId = serializers.IntegerField(source="ticket_id")
    senderType = serializers.ChoiceField(source="sender", choices=Sender.choices)
    author = serializers.SerializerMethodField()
    authorName = serializers.SerializerMethodField()
    serviceAccount = serializers.SerializerMethodField()
    text = serializers.CharField()
    mediaType = serializers.CharField(source="content_type")
    files = FileOut(many=True, source="attachments")
    replyTo = serializers.IntegerField(source="quote_id", allow_null=True)
    quotedText = serializers.CharField(source="quote_text")
    forwardedFrom = serializers.CharField(source="forwarded_from")
    createdAt = Moment(source="sent_at")
    editedAt = Moment(source="edited_at", allow_null=True)
    deletedAt = Moment(source="deleted_at", allow_null=True)
    deliveryState = serializers.SerializerMethodField()
    alteration = serializers.SerializerMethodField()
    reactions = serializers.SerializerMethodField()
    ourReaction = serializers.SerializerMethodField()

    def get_author(self, message: Message) -> int | None:
        return None if self.context["for_customer"] else message.author_id

    def get_authorName(self, message: Message) -> str | None:
        author = message.author
        if self.context["for_customer"]:
            return author.customer_facing_name if author is not None and message.sender == Sender.MANAGER else None
        return author.display_name if author is not None else None

    def get_serviceAccount(self, message: Message) -> str | None:
        account = message.service_account
        return account.name if account is not None and not self.context["for_customer"] else None

    def get_deliveryState(self, message: Message) -> DeliveryState | None:
        delivery = getattr(message, "delivery", None)
        return DeliveryState(delivery.state) if delivery is not None else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_reactions(self, message: Message) -> list[str]:
        return message.reactions.split()

    def get_ourReaction(self, message: Message) -> str:
        return operations.wanted_reaction(message)

    @extend_schema_field(AlterationOut(allow_null=True))
    def get_alteration(self, message: Message) -> dict[str, Any] | None:
        if message.alteration is None or self.context["for_customer"]:
            return None
        return AlterationOut(message.alteration).data


class MessagesPagination(Pagination):
    """`next` is the address of what follows, null at the end."""

    next = serializers.CharField(allow_null=True)


class MessagesPage(serializers.Serializer[Any]):
    messages = MessageOut(many=True)
    pagination = MessagesPagination()


class MessagesQuery(PageQuery):
    """Without parameters: the whole conversation."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, required=False)
    offset = serializers.IntegerField(min_value=0, max_value=2**31, default=0)


class NewEntity(StrictSerializer):
    """Formatting of a part of the text, as the Bot API's MessageEntity: offset and length count UTF-16 code units.

    `url` belongs to a `text_link`, `language` to `pre`. Bold and its like neither hold code nor stand in it, quotations
    and links hold none of their own kind, and nothing crosses (Bot API, "Formatting options").
    """

    type = serializers.ChoiceField(choices=KINDS)
    offset = serializers.IntegerField(min_value=0, max_value=20_000)
    length = serializers.IntegerField(min_value=1, max_value=20_000)
    url = Text(max_length=MAX_URL, required=False)
    language = Text(max_length=40, required=False)


class NewMessage(StrictSerializer):
    """A reply, an internal note, or what the customer said elsewhere (supervisors and service accounts).

    The text is taken as it is: no marks are read in it. `entities` say how a reply or a note looks.

    Without a `senderType` people reply, and a service account, which knows only `client`, writes as its customer.
    """

    senderType = serializers.ChoiceField(
        choices=[Sender.MANAGER.value, Sender.NOTE.value, Sender.CLIENT.value], required=False
    )
    text = Text(max_length=20_000, trim_whitespace=False)
    entities = serializers.ListField(child=NewEntity(), max_length=MAX_ENTITIES, required=False)
    replyTo = Id(allow_null=True, default=None)
    mediaType = serializers.ChoiceField(choices=MEDIA_TYPES, required=False)
    seenMessageId = Id(min_value=0, required=False)
    clientId = Text(max_length=MAX_KEY, required=False)


class ChangedMessage(StrictSerializer):
    """The new words of a reply, and how they look: without `entities` plain. Without `text` nothing changes."""

    text = Text(max_length=20_000, allow_blank=True, trim_whitespace=False, required=False)
    entities = serializers.ListField(child=NewEntity(), max_length=MAX_ENTITIES, required=False)
    seenMessageId = Id(min_value=0, required=False)


class SeenQuery(StrictSerializer):
    """How far the caller has read."""

    seenMessageId = Id(min_value=0, required=False)


class NewMessageWithFiles(NewMessage):
    """The same as a form, with up to ten files, and words or not; these are plain."""

    entities = None  # type: ignore[assignment]  # a form holds no objects
    text = Text(max_length=20_000, allow_blank=True, trim_whitespace=False, default="")
    replyTo = Id(required=False)
    files = serializers.ListField(child=serializers.FileField(), max_length=MAX_FILES, required=False)


def messages_of(caller: User | Program, ticket: Ticket) -> QuerySet[Message]:
    """What this caller may see of a ticket's conversation, with all that JSON tells of a message."""
    return (
        ticket.messages.filter(access.visible_messages(caller))
        .select_related("delivery", "author", "service_account", "alteration")
        .prefetch_related("attachments")
        .order_by("pk")
    )


def shown(request: AnyRequest, ticket: Ticket, messages: Any, *, many: bool = False) -> Any:
    context = {"request": request, "ticket_id": ticket.pk, "for_customer": isinstance(request.user, Program)}
    return MessageOut(messages, many=many, context=context).data


class Messages(OpenToPrograms, APIView):
    scopes = {"GET": Scope.MESSAGES_READ, "POST": Scope.MESSAGES_WRITE}
    parser_classes = (JSONParser, FormParser)

    @extend_schema(
        operation_id="listMessages",
        tags=["messages"],
        parameters=[MessagesQuery],
        responses={200: MessagesPage, **problems(401, 403, 404, 422, 429)},
    )
    def get(self, request: AnyRequest, ticket_id: int) -> Response:
        """The conversation, oldest first, as it stands in the chat.

        A service account sees what its customer does: no notes, and a reply once it has left for the customer.
        """
        ticket = find_ticket(request.user, ticket_id)
        query = read_query(MessagesQuery, request)
        limit, offset = query.get("limit", WHOLE), query["offset"]
        found = messages_of(request.user, ticket)
        rows = list(found[offset : offset + limit + 1])
        following = offset + limit
        link = request.build_absolute_uri(f"{request.path}?limit={min(limit, MAX_LIMIT)}&offset={following}")
        pagination = {
            "total": total_of(found),
            "limit": limit,
            "offset": offset,
            "next": link if len(rows) > limit else None,
        }
        return Response({"messages": shown(request, ticket, rows[:limit], many=True), "pagination": pagination})

    @extend_schema(
        operation_id="createMessage",
        tags=["messages"],
        request={"application/json": NewMessage, "multipart/form-data": NewMessageWithFiles},
        responses={201: MessageOut, **problems(400, 401, 403, 404, 409, 413, 415, 422, 429)},
        examples=[
            OpenApiExample(
                "a reply",
                value={
                    "senderType": "manager",
                    "text": "Заказ в пути, будет завтра.",
                    "clientId": "c1a7ef8e-0f1e-4b0d-8a55-2f4a7a9f3c11",
                },
                request_only=True,
                media_type="application/json",
            ),
            OpenApiExample(
                "what the customer wrote",
                value={"senderType": "client", "text": "Жду с утра"},
                request_only=True,
                media_type="application/json",
            ),
        ],
    )
    def post(self, request: AnyRequest, ticket_id: int) -> Response:
        """Write on a ticket. A reply is on its way to the customer when this answers; `deliveryState` says how far."""
        values = read_body(NewMessageWithFiles if is_form(request) else NewMessage, request)
        kind = ContentType(values["mediaType"]) if "mediaType" in values else None
        uploads = [Upload(name=file.name or "", file=file, kind=kind) for file in request.FILES.getlist(FILES)]

        def write() -> Response:
            # Asked in here: whoever sends it again may have lost the ticket since.
            ticket = find_ticket(request.user, ticket_id)
            message = write_on(ticket, request.user, values, uploads)
            # What is said on a ticket long closed opens another one.
            home = message.ticket or ticket
            body = shown(request, home, messages_of(request.user, home).get(pk=message.pk))
            return Response(body, status=HTTPStatus.CREATED)

        return once(request, values.get("clientId"), write)


class OneMessage(OpenToPrograms, APIView):
    scopes = {"GET": Scope.MESSAGES_READ}

    @extend_schema(
        operation_id="getMessage", tags=["messages"], responses={200: MessageOut, **problems(401, 403, 404, 429)}
    )
    def get(self, request: AnyRequest, ticket_id: int, message_id: int) -> Response:
        """One message, to see how far a reply has come."""
        ticket = find_ticket(request.user, ticket_id)
        return Response(shown(request, ticket, find_message(request.user, ticket, message_id)))

    @extend_schema(
        operation_id="changeMessage",
        tags=["messages"],
        request=ChangedMessage,
        responses={200: MessageOut, **problems(400, 401, 403, 404, 409, 413, 415, 422, 429)},
    )
    def patch(self, request: ApiRequest, ticket_id: int, message_id: int) -> Response:
        """Change the words of a reply. One that has left changes in the customer's Telegram; `alteration` says how
        far. The same words again change nothing.
        """
        ticket = find_ticket(request.user, ticket_id)
        find_message(request.user, ticket, message_id)
        values = read_body(ChangedMessage, request)
        if "text" in values:
            operations.edit_reply(
                message_id=message_id,
                actor=request.user,
                text=values["text"],
                entities=values.get("entities", ()),
                seen=seen_of(values),
            )
        return Response(shown(request, ticket, find_message(request.user, ticket, message_id)))

    @extend_schema(
        operation_id="deleteMessage",
        tags=["messages"],
        parameters=[SeenQuery],
        responses={200: MessageOut, **problems(401, 403, 404, 409, 422, 429)},
    )
    def delete(self, request: ApiRequest, ticket_id: int, message_id: int) -> Response:
        """Take a reply back: one that has not left stays here, one that Telegram has is deleted there, which it allows
        for 48 hours. The desk keeps its words; `deliveryState`, or `alteration` and `deletedAt`, say how far.
        """
        ticket = find_ticket(request.user, ticket_id)
        message = find_message(request.user, ticket, message_id)
        seen = seen_of(read_query(SeenQuery, request))
        delivery = getattr(message, "delivery", None)
        is_here = delivery is not None and delivery.state != DeliveryState.SENT
        take_back = operations.withdraw if is_here else operations.delete_reply
        take_back(message_id=message_id, actor=request.user, seen=seen)
        return Response(shown(request, ticket, find_message(request.user, ticket, message_id)))


def find_message(caller: User | Program, ticket: Ticket, message_id: int) -> Message:
    """The message, if this caller sees it.

    :raises NotFound: absent and hidden are told alike.
    """
    message = messages_of(caller, ticket).filter(pk=message_id).first()
    if message is None:
        raise NotFound
    return message


def seen_of(values: dict[str, Any]) -> Seen | None:
    return Seen(values["seenMessageId"]) if "seenMessageId" in values else None


def is_form(request: AnyRequest) -> bool:
    return isinstance(request.data, QueryDict)


def write_on(ticket: Ticket, caller: User | Program, values: dict[str, Any], uploads: list[Upload]) -> Message:
    """The one operation a new message asks for."""
    sender = values.get("senderType", Sender.CLIENT if isinstance(caller, Program) else Sender.MANAGER)
    if isinstance(caller, Program) and sender != Sender.CLIENT:
        raise NotAllowed(_("Программа пишет только от имени клиента."))
    refuse_misplaced(sender, values)
    common: dict[str, Any] = {"ticket_id": ticket.pk, "text": values["text"]}
    quote_id = values.get("replyTo")
    if isinstance(caller, Program):
        return operations.write_by_program(program=caller, quote_id=quote_id, uploads=uploads, **common)
    common["actor"] = caller
    if sender == Sender.CLIENT:
        if uploads:
            raise ValidationError({"files": [ONLY_TEXT]})
        return operations.enter_by_hand(quote_id=quote_id, **common)
    common["entities"], common["uploads"] = values.get("entities", ()), uploads
    common["client_id"] = uuid.uuid5(NAMESPACE, values["clientId"]) if "clientId" in values else uuid.uuid4()
    if sender == Sender.NOTE:
        return operations.note(**common)
    return operations.reply(quote_id=quote_id, seen=seen_of(values), **common)


def refuse_misplaced(sender: str, values: dict[str, Any]) -> None:
    """
    :raises ValidationError: something that a message of this sender does not have.
    """
    if sender == Sender.CLIENT and "entities" in values:
        raise ValidationError({"entities": [ONLY_TEXT]})
    if sender == Sender.NOTE and values.get("replyTo") is not None:
        raise ValidationError({"replyTo": [_("Заметка не отвечает ни на какое сообщение.")]})
    if sender != Sender.MANAGER and values.get("seenMessageId") is not None:
        raise ValidationError({"seenMessageId": [_("Что прочитано, важно только для ответа клиенту.")]})
