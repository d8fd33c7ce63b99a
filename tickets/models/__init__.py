"""The domain's rows: facts, constraints, indexes and the QuerySets screens are made of. Writes live in `operations`."""

from tickets.models.api import ApiAnswer, ApiSession, Scope, ServiceAccount
from tickets.models.catalog import Tag, Topic
from tickets.models.customers import Customer
from tickets.models.delivery import Decision, Delivery, DeliveryState, Lane, Reason
from tickets.models.jobs import Job, JobState
from tickets.models.messages import (
    PREVIEW_LENGTH,
    Attachment,
    AttachmentState,
    ContentType,
    Message,
    MessageRevision,
    Notice,
    Sender,
    attachment_path,
)
from tickets.models.people import MANAGERS, SUPERVISORS, Language, Presence, Team, Theme, User
from tickets.models.second_factor import RecoveryCode, SecondFactor
from tickets.models.sign_ins import SignIn
from tickets.models.tickets import (
    ACTIVE,
    COUNT_CAP,
    PAST,
    REOPEN_WITHIN,
    SUBJECT_LENGTH,
    AppendOnlyError,
    Change,
    Draft,
    Event,
    Priority,
    Status,
    Ticket,
    TicketReader,
    Trouble,
    View,
)
from tickets.models.webhooks import Webhook, WebhookCall, WebhookOff

__all__ = [
    "ACTIVE",
    "COUNT_CAP",
    "MANAGERS",
    "PAST",
    "PREVIEW_LENGTH",
    "REOPEN_WITHIN",
    "SUBJECT_LENGTH",
    "SUPERVISORS",
    "ApiAnswer",
    "ApiSession",
    "AppendOnlyError",
    "Attachment",
    "AttachmentState",
    "Change",
    "ContentType",
    "Customer",
    "Decision",
    "Delivery",
    "DeliveryState",
    "Draft",
    "Event",
    "Job",
    "JobState",
    "Lane",
    "Language",
    "Message",
    "MessageRevision",
    "Notice",
    "Presence",
    "Priority",
    "Reason",
    "RecoveryCode",
    "Scope",
    "SecondFactor",
    "Sender",
    "ServiceAccount",
    "SignIn",
    "Status",
    "Tag",
    "Team",
    "Theme",
    "Ticket",
    "TicketReader",
    "Topic",
    "Trouble",
    "User",
    "View",
    "Webhook",
    "WebhookCall",
    "WebhookOff",
    "attachment_path",
]
