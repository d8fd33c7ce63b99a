"""Request ids, proxies that are believed and pages that no cache keeps."""

import gzip
import io
import re

import pytest
from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from helpdesk import logs
from helpdesk.middleware import MAX_PLAIN_FORM, CompressPages, bounded_bodies, trusted_proxies
from tickets.files import max_form
from tickets.log_context import request_id


class TestRequestId:
    def test_each_answer_carries_a_new_one(self, client: Client) -> None:
        first, second = (client.get("/health/live")["X-Request-ID"] for _ in range(2))

        assert re.fullmatch(r"[0-9a-f]{32}", first)
        assert first != second

    @override_settings(TRUSTED_PROXIES=["127.0.0.1"])
    def test_our_proxys_own_is_kept(self, client: Client) -> None:
        response = client.get("/health/live", headers={"X-Request-ID": "proxy-12345678"})

        assert response["X-Request-ID"] == "proxy-12345678"

    @override_settings(TRUSTED_PROXIES=["10.0.0.0/8"])
    def test_a_strangers_is_replaced(self, client: Client) -> None:
        response = client.get("/health/live", headers={"X-Request-ID": "proxy-12345678"})

        assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-ID"])

    @override_settings(TRUSTED_PROXIES=["127.0.0.1"])
    @pytest.mark.parametrize("given", ["short", "x" * 65, "a b c d e f g", "id\nINFO forged line", "<script>alert(1)"])
    def test_one_that_could_forge_a_line_is_replaced(self, client: Client, given: str) -> None:
        response = client.get("/health/live", headers={"X-Request-ID": given})

        assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-ID"])

    def test_what_a_thread_does_afterwards_is_of_no_request(self, client: Client) -> None:
        client.get("/health/live")

        assert request_id.get() is None

    @override_settings(TRUSTED_PROXIES=["127.0.0.1"])
    def test_the_line_about_a_refused_request_carries_it(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.handler.setFormatter(logs.ScrubbingFormatter(logs.FORMAT))

        client.post("/health/live", headers={"X-Request-ID": "proxy-12345678"})

        assert "request=proxy-12345678 chat=- Method Not Allowed (POST): /health/live" in caplog.text


class TestTrustedProxies:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "client"),
        [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger says it is somebody else
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),  # our proxy says who it serves
            ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # what the client wrote itself is not believed
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies of ours in a row
            ("10.0.0.1", "", "10.0.0.1"),
        ],
    )
    def test_the_client_is_the_last_hop_that_is_not_ours(
        self, rf: RequestFactory, peer: str, forwarded: str, client: str
    ) -> None:
        request = rf.get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})

        with override_settings(TRUSTED_PROXIES=["10.0.0.0/8"]):
            trusted_proxies(lambda request: HttpResponse())(request)

        assert request.META["REMOTE_ADDR"] == client

    @pytest.mark.parametrize(("peer", "secure"), [("203.0.113.9", False), ("10.0.0.1", True)])
    def test_only_our_proxy_says_that_the_client_came_by_https(
        self, rf: RequestFactory, peer: str, secure: bool
    ) -> None:
        request = rf.get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-Proto": "https"})

        with override_settings(TRUSTED_PROXIES=["10.0.0.0/8"]):
            trusted_proxies(lambda request: HttpResponse())(request)

        assert request.is_secure() is secure


class TestBoundedBodies:
    def answer(self, rf: RequestFactory, path: str, length: str) -> HttpResponse:
        return bounded_bodies(lambda request: HttpResponse())(rf.post(path, CONTENT_LENGTH=length))

    def test_a_form_no_page_of_ours_sends_is_refused_unread(self, rf: RequestFactory) -> None:
        answer = self.answer(rf, "/desk/login/", str(MAX_PLAIN_FORM + 1))

        assert answer.status_code == 413
        assert "не больше 10 файлов, каждый до 50 МБ, вместе до 500 МБ" in answer.content.decode()

    def test_a_reply_may_bring_as_many_files_as_a_message_takes(self, rf: RequestFactory) -> None:
        assert self.answer(rf, "/desk/t/1000/reply/", str(max_form())).status_code == 200
        assert self.answer(rf, "/desk/t/1000/reply/", str(max_form() + 1)).status_code == 413
        words_alone = rf.post("/", content_type="application/x-www-form-urlencoded", CONTENT_LENGTH=str(max_form()))
        words_alone.path = "/desk/t/1000/reply/"
        assert bounded_bodies(lambda request: HttpResponse())(words_alone).status_code == 413

    @pytest.mark.parametrize("length", ["-5", "many", "1e3"])
    def test_a_length_that_is_no_number_is_refused(self, rf: RequestFactory, length: str) -> None:
        assert self.answer(rf, "/desk/login/", length).status_code == 413

    @pytest.mark.parametrize("length", ["", "0", "2000"])
    def test_what_is_small_passes(self, rf: RequestFactory, length: str) -> None:
        assert self.answer(rf, "/desk/login/", length).status_code == 200

    def test_it_stands_in_the_sites_way(self, client: Client) -> None:
        asked = client.post("/desk/login/", b"x" * (MAX_PLAIN_FORM + 1), content_type="multipart/form-data; boundary=x")

        assert asked.status_code == 413
        assert asked["X-Request-ID"]


class TestPrivatePages:
    def test_a_page_asked_for_with_a_session_is_kept_by_no_cache(self, client: Client) -> None:
        client.cookies[settings.SESSION_COOKIE_NAME] = "anything"

        response = client.get("/")

        assert response["Cache-Control"] == "private, no-store"
        assert "Cookie" in response["Vary"]

    def test_a_strangers_may_be_kept(self, client: Client) -> None:
        assert "Cache-Control" not in client.get("/")


class TestCompressPages:
    @pytest.mark.django_db
    def test_a_page_is_compressed(self, client: Client) -> None:
        response = client.get(reverse("tickets:login"), headers={"Accept-Encoding": "gzip"})

        assert response["Content-Encoding"] == "gzip"
        assert b"<html" in gzip.decompress(response.content)

    def test_a_file_is_not(self, rf: RequestFactory) -> None:
        file = FileResponse(io.BytesIO(b"x" * 1000), content_type="text/html")

        response = CompressPages(lambda request: file)(rf.get("/", headers={"Accept-Encoding": "gzip"}))

        assert isinstance(response, FileResponse)
        assert "Content-Encoding" not in response
        assert response["Content-Length"] == "1000"


class TestClosedByDefault:
    @pytest.mark.parametrize("path", ["/admin/", "/admin/tickets/ticket/"])
    def test_a_stranger_is_sent_to_sign_in(self, client: Client, path: str) -> None:
        response = client.get(path)

        assert response.status_code == 302
        assert "login" in response["Location"]
