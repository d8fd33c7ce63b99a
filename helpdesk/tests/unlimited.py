"""The site's settings without the API's limits: a storm of calls would learn of nothing else."""

from helpdesk.settings import *  # noqa: F403
from helpdesk.settings import REST_FRAMEWORK

REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = dict.fromkeys(REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
