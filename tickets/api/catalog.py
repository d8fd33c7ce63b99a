"""Who and what tickets refer to: teams with their members, topics, tags, customers."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets import access
from tickets.api.fields import Id, Moment
from tickets.api.pages import CursorPagination, CursorQuery, walk
from tickets.api.permissions import OpenToPrograms
from tickets.api.schema import problems
from tickets.api.strict import AnyRequest, ApiRequest, read_query
from tickets.models import Customer, Scope, Tag, Team, Topic


class Member(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField(source="display_name")


class TeamOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    isDefault = serializers.BooleanField(source="is_default")
    members = Member(many=True)


class TopicOut(serializers.Serializer[Any]):
    """A topic in the bot's three languages; `team` gets new tickets about it, null means the default one."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    nameKk = serializers.CharField(source="name_kk")
    nameEn = serializers.CharField(source="name_en")
    team = serializers.IntegerField(source="team_id", allow_null=True)


class TagOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class CustomerOut(serializers.Serializer[Any]):
    """A customer. The phone's middle is hidden; the desk shows it whole and writes down to whom."""

    id = serializers.IntegerField()
    telegramUserId = serializers.IntegerField(source="telegram_user_id", allow_null=True)
    name = serializers.CharField()
    username = serializers.CharField()
    language = serializers.CharField()
    maskedPhone = serializers.CharField(source="masked_phone")
    stoppedBotAt = Moment(source="stopped_bot_at", allow_null=True)
    createdAt = Moment(source="created_at")


class TeamsOut(serializers.Serializer[Any]):
    teams = TeamOut(many=True)


class TopicsOut(serializers.Serializer[Any]):
    topics = TopicOut(many=True)


class TagsOut(serializers.Serializer[Any]):
    tags = TagOut(many=True)


class CustomersPage(serializers.Serializer[Any]):
    customers = CustomerOut(many=True)
    pagination = CursorPagination()


class CustomersQuery(CursorQuery):
    user_id = Id(required=False, help_text="The customer's Telegram user id.")
    search = serializers.CharField(max_length=100, required=False, help_text="A part of a name or a username.")


class Teams(APIView):
    @extend_schema(operation_id="listTeams", tags=["catalog"], responses={200: TeamsOut, **problems(401, 403, 429)})
    def get(self, request: ApiRequest) -> Response:
        """The teams at work that this person belongs to; for supervisors all."""
        teams = Team.objects.filter(retired_at__isnull=True).prefetch_related("members").order_by("name")
        if not access.is_supervisor(request.user):
            teams = teams.filter(pk__in=request.user.team_ids)
        return Response({"teams": TeamOut(teams, many=True).data})


class Topics(OpenToPrograms, APIView):
    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(operation_id="listTopics", tags=["catalog"], responses={200: TopicsOut, **problems(401, 403, 429)})
    def get(self, request: AnyRequest) -> Response:
        """The topics customers may choose from, in the bot's order."""
        topics = Topic.objects.filter(retired_at__isnull=True).order_by("position", "pk")
        return Response({"topics": TopicOut(topics, many=True).data})


class Tags(APIView):
    @extend_schema(operation_id="listTags", tags=["catalog"], responses={200: TagsOut, **problems(401, 403, 429)})
    def get(self, request: ApiRequest) -> Response:
        """The tags in use."""
        tags = Tag.objects.filter(retired_at__isnull=True).order_by("name")
        return Response({"tags": TagOut(tags, many=True).data})


class Customers(OpenToPrograms, APIView):
    scopes = {"GET": Scope.CUSTOMERS_READ}

    @extend_schema(
        operation_id="listCustomers",
        tags=["customers"],
        parameters=[CustomersQuery],
        responses={200: CustomersPage, **problems(401, 403, 422, 429)},
    )
    def get(self, request: AnyRequest) -> Response:
        """The customers with a ticket this person sees, the newest first; for a service account its own one."""
        query = read_query(CustomersQuery, request)
        found = Customer.objects.filter(access.visible_customers(request.user))
        if "user_id" in query:
            found = found.filter(telegram_user_id=query["user_id"])
        if "search" in query:
            words = query["search"].strip().removeprefix("@")
            found = found.filter(
                Q(name__icontains=words) | Q(name__contains=words.title()) | Q(username__icontains=words)
            )
        rows, pagination = walk(found, query)
        return Response({"customers": CustomerOut(rows, many=True).data, "pagination": pagination})


class OneCustomer(OpenToPrograms, APIView):
    scopes = {"GET": Scope.CUSTOMERS_READ}

    @extend_schema(
        operation_id="getCustomer", tags=["customers"], responses={200: CustomerOut, **problems(401, 403, 404, 429)}
    )
    def get(self, request: AnyRequest, customer_id: int) -> Response:
        """One customer."""
        customer = Customer.objects.filter(access.visible_customers(request.user), pk=customer_id).first()
        if customer is None:
            raise NotFound
        return Response(CustomerOut(customer).data)
