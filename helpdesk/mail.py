"""Letters to the people of the company."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from tickets.links import password_link
from tickets.models import Job, User


def send_password_link(job: Job) -> int:
    """Write to the person the job names, in their language; nobody where the asked address was nobody's."""
    person = User.objects.filter(pk=int(job.key), is_active=True).exclude(email="").first()
    if person is None:
        return 0
    with translation.override(person.language or settings.LANGUAGE_CODE):
        context = {"user": person, "link": password_link(person), "brand": settings.BRAND_NAME}
        text = render_to_string("tickets/mail/password_link.txt", context)
        subject = _("Новый пароль: %(brand)s") % {"brand": settings.BRAND_NAME}
    return send_mail(subject, text.strip(), None, [person.email])
