"""The speed tool keeps to its own: its databases, and its view out of the product."""

import pytest
from django.urls import Resolver404, resolve

from helpdesk.bench import urls
from helpdesk.bench.store import PREFIX, Store


@pytest.mark.parametrize("name", ["helpdesk", "postgres", "test_helpdesk_bench_1000"])
def test_no_other_database_is_dropped(name):
    store = Store("postgres://nobody@127.0.0.1:1/postgres", {})
    with pytest.raises(ValueError, match="no database of the speed tool"):
        store.drop(name)


def test_a_database_of_its_own_is_named_on_the_same_server():
    store = Store("postgres://somebody:secret@db.example:5433/postgres?sslmode=require", {})
    assert store.url(f"{PREFIX}1000") == (
        "postgres://somebody:secret@db.example:5433/helpdesk_bench_1000?sslmode=require"
    )


def test_the_product_has_no_bare_view():
    assert resolve("/bench/bare/", urlconf=urls).func is urls.bare
    with pytest.raises(Resolver404):
        resolve("/bench/bare/")
