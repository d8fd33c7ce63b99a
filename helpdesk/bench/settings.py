"""The product's settings for the servers that are measured: a bare view beside its addresses, and no limit to how
often one person may ask.
"""

from helpdesk.settings import *  # noqa: F403
from helpdesk.settings import MIDDLEWARE, REST_FRAMEWORK

ROOT_URLCONF = "helpdesk.bench.urls"
MIDDLEWARE.insert(0, "helpdesk.bench.urls.count_queries")
# A limit would answer 429 instead of working, and its list of moments would grow with the speed that is measured.
RATES: dict[str, str] = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]  # type: ignore[assignment]
REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = dict.fromkeys(RATES)
