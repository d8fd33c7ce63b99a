from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from botbridge import webhook
from helpdesk import banner, health
from helpdesk.metrics import metrics

handler500 = "helpdesk.errors.failed"

urlpatterns = [
    path("", login_not_required(RedirectView.as_view(url="/desk/")), name="home"),
    path("desk/telegram/", banner.telegram, name="telegram-banner"),
    path("desk/", include("tickets.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("helpdesk.api")),
    path("health", health.health, name="health"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("telegram/<str:path>", webhook.receive, name="telegram-webhook"),
    path("metrics", metrics, name="metrics"),
    path("language/", login_not_required(set_language), name="set_language"),
]
