"""The site's settings without the API's limits: a storm of calls would learn of nothing else."""

from helpdesk.settings import *  # noqa: F403
from helpdesk.settings import REST_FRAMEWORK

RATES: dict[str, str] = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]  # type: ignore[assignment]
REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = dict.fromkeys(RATES)
