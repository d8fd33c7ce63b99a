"""The supervisors' room: lists to search and filter, facts to read, acts that go through `tickets.operations`."""

from tickets.admin.catalog import TagAdmin, TopicAdmin
from tickets.admin.customers import CustomerAdmin
from tickets.admin.deliveries import DeliveryAdmin
from tickets.admin.people import PersonAdmin, TeamAdmin
from tickets.admin.programs import ServiceAccountAdmin
from tickets.admin.tickets import TicketAdmin
from tickets.admin.webhooks import WebhookAdmin, WebhookCallAdmin

__all__ = [
    "CustomerAdmin",
    "DeliveryAdmin",
    "PersonAdmin",
    "ServiceAccountAdmin",
    "TagAdmin",
    "TeamAdmin",
    "TicketAdmin",
    "TopicAdmin",
    "WebhookAdmin",
    "WebhookCallAdmin",
]
