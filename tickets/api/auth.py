"""Signing in and out, and whose token it is."""

from http import HTTPStatus
from typing import Any

from django.contrib.auth import authenticate, logout
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import RefreshToken

from tickets import access, operations
from tickets.api.authentication import NOT_GOOD, REALM, SESSION_CLAIM, read, tokens_for
from tickets.api.fields import Text
from tickets.api.schema import problems
from tickets.api.strict import ApiRequest, StrictSerializer, read_body
from tickets.api.throttles import AtLogin, AtRefresh
from tickets.guesses import guessed_wrong, may_guess
from tickets.models import ApiSession, User
from tickets.operations import Rotation
from tickets.sessions import caller


class Credentials(StrictSerializer):
    """A login, a password, and the code of whoever has a second factor."""

    username = Text(max_length=150)
    password = Text(max_length=4096, trim_whitespace=False)
    otp = Text(max_length=40, required=False, help_text="The code from the person's app, or a recovery code.")


class RefreshTokenIn(StrictSerializer):
    """The refresh token last given; it is good once."""

    refresh = Text(max_length=4096)


class TokenPair(serializers.Serializer[Any]):
    """An access token for ten minutes and the refresh token that brings the next pair."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class Me(serializers.Serializer[Any]):
    """The person behind the call."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    name = serializers.CharField(source="display_name")
    role = serializers.SerializerMethodField()
    teams = serializers.SerializerMethodField()

    def get_role(self, user: User) -> str:
        return "supervisor" if access.is_supervisor(user) else "manager"

    def get_teams(self, user: User) -> list[int]:
        return sorted(user.team_ids)


class Door(APIView):
    """A view that no token is needed for; one that is bad must not shut it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Without it REST framework makes every 401 a 403."""
        return REALM


class Login(Door):
    throttle_classes = (AtLogin,)

    @extend_schema(
        operation_id="login",
        tags=["auth"],
        request=Credentials,
        responses={200: TokenPair, **problems(400, 401, 403, 413, 415, 422, 429)},
        examples=[
            OpenApiExample(
                "sign in", value={"username": "madina", "password": "correct-horse-battery"}, request_only=True
            )
        ],
        auth=[],
    )
    def post(self, request: ApiRequest) -> Response:
        """Sign in by login and password. Unknown, wrong and disabled accounts are told alike.

        Whoever has a second factor sends `otp` too; a right password without a right code is answered with 401 whose
        `otp` is "required" or "wrong". A code is good once. Supervisors without a factor are answered with 403 where
        the site requires one.
        """
        credentials = read_body(Credentials, request)
        otp = credentials.pop("otp", None)
        person = authenticate(_plain(request), **credentials)
        if not isinstance(person, User) or not access.may_enter(person):
            raise AuthenticationFailed(_("Логин или пароль не подошли."))
        _check_second_factor(_plain(request), person, otp)
        return Response(tokens_for(operations.start_api_session(user=person, **caller(_plain(request)))))


class RefreshTokenView(Door):
    throttle_classes = (AtRefresh,)

    @extend_schema(
        operation_id="refreshToken",
        tags=["auth"],
        request=RefreshTokenIn,
        responses={200: TokenPair, **problems(400, 401, 413, 415, 422, 429)},
        auth=[],
    )
    def post(self, request: ApiRequest) -> Response:
        """Exchange the refresh token for the next pair. One that was exchanged earlier ends the whole sign-in."""
        token = read(read_body(RefreshTokenIn, request)["refresh"], RefreshToken)
        if token is None:
            raise AuthenticationFailed(NOT_GOOD)
        rotation, session = operations.rotate_api_session(
            session_id=token.get(SESSION_CLAIM) or 0, refresh_id=token["jti"]
        )
        if rotation != Rotation.DONE or session is None:
            raise AuthenticationFailed(NOT_GOOD)
        return Response(tokens_for(session))


class Logout(APIView):
    @extend_schema(operation_id="logout", tags=["auth"], request=None, responses={204: None, **problems(401, 403, 429)})
    def post(self, request: ApiRequest) -> Response:
        """End this sign-in: both its tokens are good no more. A call with the desk's cookie ends the desk's session."""
        if isinstance(request.auth, ApiSession):
            operations.end_api_session(session_id=request.auth.pk, user=request.user)
        else:
            logout(_plain(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class MeView(APIView):
    @extend_schema(operation_id="me", tags=["auth"], responses={200: Me, **problems(401, 403, 429)})
    def get(self, request: ApiRequest) -> Response:
        """Who this is, in which role and teams."""
        return Response(Me(request.user).data)


class CodeNeeded(AuthenticationFailed):
    """The password was right, and a code is missing or wrong; `otp` says which."""

    default_detail = _("Нужен код второго фактора: пришлите его полем otp. Каждый код годится один раз.")

    def __init__(self, otp: str) -> None:
        super().__init__()
        self.more = {"otp": otp}


def _check_second_factor(request: HttpRequest, person: User, otp: str | None) -> None:
    if operations.lacks_needed_factor(person):
        raise PermissionDenied(_("Сначала включите второй фактор на столе."))
    if not operations.has_second_factor(person):
        return
    if otp is None:
        raise CodeNeeded("required")
    if not may_guess(request, person) or not operations.use_code(user=person, code=otp):
        guessed_wrong(request, person)
        raise CodeNeeded("wrong")


def _plain(request: ApiRequest) -> HttpRequest:
    """Django's own request: the lock after failed attempts leaves its mark there."""
    plain: HttpRequest = request._request
    return plain
