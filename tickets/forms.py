"""What people send from the desk, turned into the operations' arguments. Rules of the domain live in the operations."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm, SetPasswordForm
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets import operations
from tickets.marks import typed
from tickets.models import Language, Presence, Priority, Theme, User, View
from tickets.operations import Seen, Then, Upload

MORNING = time(9)


class SignInForm(forms.Form):
    """A login and a password. Unknown, wrong and disabled accounts are told alike."""

    username = forms.CharField(max_length=150)
    password = forms.CharField(strip=False, max_length=4096)
    remember = forms.BooleanField(required=False)

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.user: User | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            user = authenticate(self.request, username=cleaned["username"], password=cleaned["password"])
            self.user = user if isinstance(user, User) else None
        if self.user is None:
            raise forms.ValidationError(_("Логин или пароль не подошли. Проверьте раскладку и попробуйте ещё раз."))
        return cleaned


class ChangesPassword:
    """Makes one of Django's password forms act by the operation: its own `save` would write the whole row."""

    cleaned_data: dict[str, Any]

    def set_password_and_save(
        self,
        user: User,
        password_field_name: str = "password1",  # noqa: S107  # a field's name
        commit: bool = True,
        **_options: Any,
    ) -> User:
        is_usable = self.cleaned_data.get("set_usable_password", True)
        operations.change_password(user=user, password=self.cleaned_data[password_field_name] if is_usable else None)
        return user


class AnothersPasswordForm(ChangesPassword, AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A new password for somebody else."""


class OwnPasswordForm(ChangesPassword, PasswordChangeForm):
    """A new password for oneself, against the present one."""


class NewPasswordForm(ChangesPassword, SetPasswordForm):  # type: ignore[type-arg]
    """A new password by a link."""


class ManyFiles(forms.FileField):
    """Any number of files under one name; how many and how big they may be, the operation says."""

    widget = type("ManyFilesInput", (forms.ClearableFileInput,), {"allow_multiple_selected": True})

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        return [file for file in data or [] if isinstance(file, UploadedFile)]


class SeenField(forms.CharField):
    """How far the page's reader has read, as the page wrote it."""

    def clean(self, value: Any) -> Seen | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return Seen.parse(text)
        except ValueError as error:
            raise forms.ValidationError(_("Обновите страницу и попробуйте ещё раз.")) from error


class SnoozeForm(forms.Form):
    """Until when a ticket is put away: in an hour, tomorrow morning, or at a moment of the team's clock."""

    until = forms.ChoiceField(choices=[("hour", ""), ("tomorrow", ""), ("moment", "")])
    moment = forms.CharField(required=False)

    def __init__(self, zone: ZoneInfo, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["snooze_until"] = moment_of(cleaned.get("until", ""), cleaned.get("moment", ""), self.zone)
        if cleaned["snooze_until"] is None:
            raise forms.ValidationError(_("Выберите время в будущем, не дальше года."))
        return cleaned


def moment_of(choice: str, moment: str, zone: ZoneInfo) -> datetime | None:
    """The moment a person chose, on the clock `zone`; None where it is none."""
    now = timezone.localtime(timezone.now(), zone)
    match choice:
        case "hour":
            return now + timedelta(hours=1)
        case "tomorrow":
            return datetime.combine(now.date() + timedelta(days=1), MORNING, zone)
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=zone)
    except ValueError:
        return None


class WriteForm(forms.Form):
    """A reply or a note from the composer, its formatting typed as marks.

    `seen` is how far the page has been read; «Всё равно отправить» says by `confirm` that what was missed is read too.
    `then` is one of the operation's choices; for «отложить» the moment follows a colon.
    """

    text = forms.CharField(required=False, strip=False)
    files = ManyFiles(required=False)  # type: ignore[assignment]  # the field's name; the form's own files are read by it
    client_id = forms.UUIDField()
    seen = SeenField(max_length=40)
    confirm = SeenField(max_length=40, required=False)
    quote = forms.IntegerField(min_value=1, required=False)
    then = forms.CharField(required=False)
    moment = forms.CharField(required=False)

    def __init__(self, zone: ZoneInfo, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    @property
    def uploads(self) -> list[Upload]:
        return [Upload(name=file.name or "", file=file) for file in self.cleaned_data["files"]]

    @property
    def read_to(self) -> Seen:
        """How far the writer has read."""
        seen: Seen = self.cleaned_data["seen"]
        confirmed: Seen | None = self.cleaned_data["confirm"]
        return seen if confirmed is None else seen.further(confirmed)

    @property
    def note_values(self) -> dict[str, Any]:
        """The arguments of `operations.note`."""
        cleaned = self.cleaned_data
        return {**typed(cleaned["text"])._asdict(), "uploads": self.uploads, "client_id": cleaned["client_id"]}

    @property
    def reply_values(self) -> dict[str, Any]:
        """The arguments of `operations.reply`."""
        cleaned = self.cleaned_data
        name, _separator, choice = cleaned["then"].partition(":")
        then = Then(name) if name in Then.values else Then.WAIT
        return {
            **self.note_values,
            "seen": self.read_to,
            "quote_id": cleaned["quote"],
            "then": then,
            "snooze_until": moment_of(choice, cleaned["moment"], self.zone) if then == Then.SNOOZE else None,
        }


class SeenForm(forms.Form):
    """How far the actor had read the page."""

    seen = SeenField(max_length=40)


class NextForm(forms.Form):
    """The id of one showing of the button: pressed twice, it takes one ticket."""

    client_id = forms.UUIDField(required=False)


class AssignForm(SeenForm):
    """A colleague's id, or nothing for the queue."""

    assignee = forms.IntegerField(required=False)


class TopicForm(SeenForm):
    """A topic's id, or nothing for none."""

    topic = forms.IntegerField(required=False)


class PriorityForm(SeenForm):
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=lambda value: Priority(int(value)))


class TagForm(SeenForm):
    """A tag to put on by its name, or one to take off by its id."""

    name = forms.CharField(required=False, max_length=100)
    remove = forms.IntegerField(required=False)


class DraftForm(forms.Form):
    text = forms.CharField(required=False, strip=False, max_length=20_000)
    is_note = forms.BooleanField(required=False)
    quote = forms.IntegerField(required=False)
    at = forms.DateTimeField(required=False)


class CarriedForm(DraftForm):
    """What was being sent when the session ended: it goes through the login page and becomes the ticket's draft, or the
    new words of message `edit`.
    """

    ticket = forms.IntegerField(min_value=1)
    edit = forms.IntegerField(min_value=1, required=False)


class ProfileForm(forms.Form):
    """The profile menu changes one thing at a time; what is absent stays."""

    theme = forms.ChoiceField(choices=Theme.choices, required=False)
    language = forms.ChoiceField(choices=Language.choices, required=False)
    presence = forms.ChoiceField(choices=Presence.choices, required=False)
    keys = forms.ChoiceField(choices=[("on", ""), ("off", "")], required=False)


class ViewForm(forms.Form):
    """Which of the queue's views, and where in it. Anything unknown means the beginning of the person's own."""

    view = forms.ChoiceField(choices=View.choices, required=False)
    after = forms.CharField(required=False)
    v = forms.CharField(required=False)
