"""The product's addresses and a bare view, and how a request learns the number of its queries."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from helpdesk import urls as product

handler500 = product.handler500

COUNT = "X-Count-Queries"


def bare(_request: HttpRequest) -> HttpResponse:
    """What a request costs before anything is done: the middleware, the session and the person."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [path("bench/bare/", bare, name="bare"), *product.urlpatterns]


def count_queries(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answers, where the request asks for it, with the number of statements in `X-Count-Queries`."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if COUNT not in request.headers:
            return get_response(request)
        asked = 0

        def counted(execute: Callable[..., Any], *statement: Any) -> Any:
            nonlocal asked
            asked += 1
            return execute(*statement)

        with connection.execute_wrapper(counted):
            answer = get_response(request)
        answer[COUNT] = str(asked)
        return answer

    return middleware
