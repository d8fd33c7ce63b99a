"""The tests' environment. It is set before Django reads it, and the processes that tests start inherit it."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "helpdesk.settings"
# A developer's own .env must never reach a test: it may hold a real bot's token.
os.environ["ENV_FILE"] = ""
os.environ["DEBUG"] = "1"
os.environ["LOG_DIR"] = ""
os.environ.pop("TELEGRAM_BOT_TOKEN", None)
if test_database_url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = test_database_url
