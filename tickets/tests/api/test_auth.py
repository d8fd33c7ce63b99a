"""Signing in over the API: short tokens, refreshes that are good once, and an end that is instant."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from tickets.models import ApiSession, SecondFactor, User
from tickets.operations import disable_user, enable_user, new_factor_key, reset_second_factor
from tickets.tests.api.conftest import V1, Call, credentials

LOGIN, REFRESH, LOGOUT, ME = (f"{V1}/auth/{name}" for name in ("login", "refresh-token", "logout", "me"))
AT_ONCE = 50

pytestmark = pytest.mark.django_db


def signed_in(api: APIClient, user: User) -> dict[str, str]:
    answer = api.post(LOGIN, credentials(user), format="json")
    assert answer.status_code == 200
    pair: dict[str, str] = answer.json()
    return pair


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def long_ago(session: ApiSession) -> None:
    ApiSession.objects.filter(pk=session.pk).update(rotated_at=timezone.now() - timedelta(minutes=1))


@pytest.mark.parametrize("path", [LOGIN, f"{LOGIN}/"])
def test_a_login_and_a_password_give_a_pair(api: APIClient, aigerim: User, path: str) -> None:
    answer = api.post(path, credentials(aigerim), format="json")
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}


def test_the_access_token_says_who_calls(api: APIClient, aigerim: User) -> None:
    answer = api.get(ME, headers=bearer(signed_in(api, aigerim)["access"]))
    assert answer.json() == {
        "id": aigerim.pk,
        "username": "aigerim",
        "name": "Айгерим Сатпаева",
        "role": "manager",
        "teams": sorted(aigerim.team_ids),
    }


def test_unknown_wrong_disabled_and_groupless_are_told_alike(
    api: APIClient, aigerim: User, bolat: User, dana: User
) -> None:
    User.objects.filter(pk=bolat.pk).update(is_active=False)
    dana.groups.clear()
    tries = [
        {**credentials(aigerim), "password": "wrong"},
        {"username": "nobody", "password": "wrong"},
        credentials(bolat),
        credentials(dana),
    ]
    answers = [api.post(LOGIN, each, format="json") for each in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer realm="api"'}


def test_many_wrong_passwords_are_answered_with_a_wait(api: APIClient, aigerim: User) -> None:
    wrong = {**credentials(aigerim), "password": "wrong"}
    answers = [api.post(LOGIN, wrong, format="json") for _ in range(6)]
    assert answers[-1].status_code == 429
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert int(answers[-1]["Retry-After"]) > 0
    assert api.post(LOGIN, credentials(aigerim), format="json").status_code == 429
    elsewhere = api.post(LOGIN, credentials(aigerim), format="json", REMOTE_ADDR="198.51.100.7")
    assert elsewhere.status_code == 200, "the right person is not locked out by somebody else's guesses"


def test_passwords_for_many_accounts_from_one_address_are_slowed(api: APIClient, db: None) -> None:
    answers = [api.post(LOGIN, {"username": f"nobody-{n}", "password": "x"}, format="json") for n in range(21)]
    assert {answer.status_code for answer in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1]["Retry-After"]) <= 61
    elsewhere = api.post(LOGIN, {"username": "nobody", "password": "x"}, format="json", REMOTE_ADDR="198.51.100.7")
    assert elsewhere.status_code == 401


def test_a_refresh_token_brings_the_next_pair_and_is_good_once(api: APIClient, aigerim: User) -> None:
    first = signed_in(api, aigerim)
    second = api.post(REFRESH, {"refresh": first["refresh"]}, format="json")
    assert second.status_code == 200
    assert api.post(REFRESH, {"refresh": first["refresh"]}, format="json").status_code == 401
    third = api.post(REFRESH, {"refresh": second.json()["refresh"]}, format="json")
    assert third.status_code == 200, "an accident within ten seconds ends nothing"


def test_a_token_used_again_later_ends_the_whole_sign_in(api: APIClient, aigerim: User) -> None:
    first = signed_in(api, aigerim)
    second = api.post(REFRESH, {"refresh": first["refresh"]}, format="json").json()
    long_ago(ApiSession.objects.get())
    assert api.post(REFRESH, {"refresh": first["refresh"]}, format="json").status_code == 401
    assert api.post(REFRESH, {"refresh": second["refresh"]}, format="json").status_code == 401
    assert api.get(ME, headers=bearer(second["access"])).status_code == 401


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_many_refreshes_at_once_one_succeeds(aigerim: User) -> None:
    token = signed_in(APIClient(), aigerim)["refresh"]
    barrier = Barrier(AT_ONCE)

    def refresh(_number: int) -> int:
        try:
            barrier.wait()
            return APIClient().post(REFRESH, {"refresh": token}, format="json").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = sorted(pool.map(refresh, range(AT_ONCE)))
    assert answers == [200] + [401] * (AT_ONCE - 1)


def test_signing_out_ends_both_tokens_at_once(api: APIClient, aigerim: User) -> None:
    pair = signed_in(api, aigerim)
    assert api.post(LOGOUT, headers=bearer(pair["access"])).status_code == 204
    assert api.get(ME, headers=bearer(pair["access"])).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}, format="json").status_code == 401


def test_signing_out_with_the_desks_cookie_ends_the_desks_session(api: APIClient, aigerim: User) -> None:
    api.force_login(aigerim)
    assert api.get(ME).status_code == 200
    assert api.post(LOGOUT).status_code == 204
    assert api.get(ME).status_code == 401


def test_signing_out_leaves_other_sign_ins_alone(api: APIClient, aigerim: User) -> None:
    one, other = signed_in(api, aigerim), signed_in(api, aigerim)
    api.post(LOGOUT, headers=bearer(one["access"]))
    assert api.get(ME, headers=bearer(other["access"])).status_code == 200


def test_a_new_password_ends_every_token(api: APIClient, aigerim: User) -> None:
    pair = signed_in(api, aigerim)
    aigerim.set_password("another-correct-horse")
    aigerim.save()
    assert api.get(ME, headers=bearer(pair["access"])).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}, format="json").status_code == 401


def test_a_second_factor_taken_away_ends_every_token(api: APIClient, aigerim: User, saule: User) -> None:
    pair = signed_in(api, aigerim)
    SecondFactor.objects.create(user=aigerim, key=new_factor_key(), last_step=0)
    reset_second_factor(actor=saule, user=aigerim)
    assert api.get(ME, headers=bearer(pair["access"])).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}, format="json").status_code == 401


def test_a_disabled_person_is_out_at_once(api: APIClient, aigerim: User, saule: User) -> None:
    pair = signed_in(api, aigerim)
    disable_user(actor=saule, user=aigerim)
    assert api.get(ME, headers=bearer(pair["access"])).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}, format="json").status_code == 401


def test_who_is_let_in_again_signs_in_again(api: APIClient, aigerim: User, saule: User) -> None:
    pair = signed_in(api, aigerim)
    disable_user(actor=saule, user=aigerim)
    enable_user(actor=saule, user=aigerim)
    assert api.get(ME, headers=bearer(pair["access"])).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["refresh"]}, format="json").status_code == 401


def test_who_belongs_to_no_group_any_more_is_told_so(called_by: Call, aigerim: User) -> None:
    client = called_by(aigerim)
    aigerim.groups.clear()
    assert client.get(ME).status_code == 403


def test_each_token_opens_its_own_door_only(api: APIClient, aigerim: User) -> None:
    pair = signed_in(api, aigerim)
    assert api.get(ME, headers=bearer(pair["refresh"])).status_code == 401
    assert api.post(REFRESH, {"refresh": pair["access"]}, format="json").status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "\xff", "two words"])
def test_what_is_no_token_is_a_plain_401(api: APIClient, db: None, token: str) -> None:
    answer = api.get(ME, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"


def test_a_token_signed_with_the_sites_other_key_is_worth_nothing(api: APIClient, aigerim: User, settings) -> None:
    from rest_framework_simplejwt.backends import TokenBackend

    session = signed_in(api, aigerim) and ApiSession.objects.get()
    claims = {"token_type": "access", "session": session.pk, "exp": timezone.now() + timedelta(minutes=5), "jti": "x"}
    forged = TokenBackend("HS256", settings.SECRET_KEY).encode(claims)
    assert api.get(ME, headers=bearer(forged)).status_code == 401


def test_an_access_token_ends_after_ten_minutes(api: APIClient, aigerim: User) -> None:
    pair = signed_in(api, aigerim)
    token = AccessToken(pair["access"])
    token.set_exp(from_time=timezone.now() - timedelta(minutes=11))
    assert api.get(ME, headers=bearer(str(token))).status_code == 401
