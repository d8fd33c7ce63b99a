"""What every request to the site passes through, beside Django's own."""

import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import get_language

from botbridge import webhook
from tickets import log_context
from tickets.files import MEGABYTE, max_form

Handler = Callable[[HttpRequest], HttpResponse]

API = "/api/"
#: Where the desk's forms bring files along; all other forms are words.
TAKES_FILES = "/desk/t/"
MAX_PLAIN_FORM = 2 * MEGABYTE
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def trusts(proxies: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address is one of these addresses or networks."""
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]

    def is_trusted(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False  # over a socket file nobody has an address
        return any(parsed in network for network in networks)

    return is_trusted


def request_id(get_response: Handler) -> Handler:
    """Names each request in its log lines and its answer's X-Request-ID; the name a proxy of ours gave it is kept if
    it is sane. Anybody else's could make two requests look like one.
    """
    is_ours = trusts(settings.TRUSTED_PROXIES)

    def middleware(request: HttpRequest) -> HttpResponse:
        # Not from request.headers: they are kept as first read, with what trusted_proxies is about to take away.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        is_kept = REQUEST_ID.fullmatch(given) and is_ours(request.META.get("REMOTE_ADDR", ""))
        name = given if is_kept else uuid.uuid4().hex
        # Taken back by forget_request: Django writes its line about a refused or failed request after the middleware
        # is through.
        log_context.request_id.set(name)
        response = get_response(request)
        response["X-Request-ID"] = name
        return response

    return middleware


def forget_request(**kwargs: object) -> None:
    """What a thread does between two requests belongs to neither. Django sends request_finished when all is written."""
    log_context.request_id.set(None)


def trusted_proxies(get_response: Handler) -> Handler:
    """Believes X-Forwarded-For and X-Forwarded-Proto from TRUSTED_PROXIES alone.

    Afterwards REMOTE_ADDR is the client's own address: the last hop that is not one of our proxies.
    """
    is_trusted = trusts(settings.TRUSTED_PROXIES)

    def middleware(request: HttpRequest) -> HttpResponse:
        hops = [hop.strip() for hop in request.META.pop("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        if not is_trusted(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        while hops and is_trusted(request.META.get("REMOTE_ADDR", "")):
            request.META["REMOTE_ADDR"] = hops.pop()
        return get_response(request)

    return middleware


def bounded_bodies(get_response: Handler) -> Handler:
    """Refuses with 413, unread, what no form of ours sends: Django would write a file of any size to the disk before
    it asks who sends it. The API's parsers have caps of their own.

    A body without a length is read as empty (WSGI), so the header is the truth.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if request.path.startswith(API) or (length.isdecimal() and int(length) <= longest_body(request)):
            return get_response(request)
        page = render_to_string("413.html", {"LANGUAGE_CODE": get_language()})
        return HttpResponse(page, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    return middleware


def longest_body(request: HttpRequest) -> int:
    """How many bytes the address asked for may be sent."""
    if request.path.startswith(webhook.PREFIX):
        return webhook.MAX_UPDATE
    takes_files = request.path.startswith(TAKES_FILES) and request.content_type == "multipart/form-data"
    return max_form() if takes_files else MAX_PLAIN_FORM


class CompressPages(GZipMiddleware):
    """Compresses pages and fragments, with Django's random padding against guessing secrets by length (BREACH).

    Customers' files are left alone: most are compressed already, and parts of them are asked for by their offset.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)


class ClosedByDefault(LoginRequiredMiddleware):
    """Every view asks for a sign-in unless it says otherwise.

    Django's own asks the session who somebody is even for the views that are open, so that health would need the
    database.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., Any],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)


def private_pages(get_response: Handler) -> Handler:
    """Keeps a signed-in person's pages out of every cache, the browser's own included: the next to sit down may not
    go back to them. A view that set Cache-Control itself (files do) is left alone.

    Whoever sends a session counts as signed in, so that an error page does not ask a database that is down.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_store=True)
            patch_vary_headers(response, ["Cookie", "HX-Request"])
        return response

    return middleware
