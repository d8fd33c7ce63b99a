"""The desk's addresses. Whatever concerns one ticket stands under it, so that its visibility is asked first."""

from django.urls import URLPattern, URLResolver, include, path

from tickets.views import account, acts, entry, files, messages, passwords, queue, second_factor, ticket

app_name = "tickets"

of_message: list[URLPattern | URLResolver] = [
    path("", messages.bubble, name="message"),
    path("former/", messages.former, name="former"),
    path("edit/", messages.edit, name="edit"),
    path("deleting/", messages.deleting, name="deleting"),
    path("delete/", messages.delete, name="delete"),
    path("reactions/", messages.reactions, name="reactions"),
    path("react/", messages.react, name="react"),
    path("leave/", messages.leave, name="leave"),
    path("withdraw/", messages.withdraw, name="withdraw"),
    path("release/", messages.release, name="release"),
    path("arrived/", messages.mark_arrived, name="arrived"),
    path("resend/", messages.resend, name="resend"),
    path("cards/", messages.reveal_cards, name="cards"),
]

of_ticket: list[URLPattern | URLResolver] = [
    path("", ticket.ticket, name="ticket"),
    # Parts of the page, each fetched again when it changed.
    path("messages/", ticket.messages, name="messages"),
    path("head/", ticket.head, name="head"),
    path("panel/", ticket.panel, name="panel"),
    path("panel/rest/", ticket.panel_rest, name="panel-rest"),
    path("state/", ticket.state, name="state"),
    path("row/", ticket.row, name="row"),
    path("peer/", ticket.peer, name="peer"),
    path("assignees/", ticket.assignees, name="assignees"),
    path("topics/", ticket.topics, name="topics"),
    path("tags/", ticket.tags, name="tags"),
    # Acts.
    path("reply/", acts.reply, name="reply"),
    path("note/", acts.note, name="note"),
    path("take/", acts.take, name="take"),
    path("assign/", acts.assign, name="assign"),
    path("resolve/", acts.resolve, name="resolve"),
    path("undo/", acts.undo, name="undo"),
    path("reopen/", acts.reopen, name="reopen"),
    path("snooze/", acts.snooze, name="snooze"),
    path("unsnooze/", acts.unsnooze, name="unsnooze"),
    path("topic/", acts.set_topic, name="topic"),
    path("priority/", acts.set_priority, name="priority"),
    path("tag/", acts.change_tags, name="tag"),
    path("seen/", acts.mark_seen, name="seen"),
    path("unread/", acts.mark_unread, name="unread"),
    path("draft/", acts.save_draft, name="draft"),
    path("typing/", acts.show_typing, name="typing"),
    path("preview/", messages.preview, name="preview"),
    path("phone/", acts.reveal_phone, name="phone"),
    path("message/<int:message_id>/", include(of_message)),
    path("file/<int:attachment_id>/", files.file, name="file"),
    path("file/<int:attachment_id>/thumbnail/", files.thumbnail, name="thumbnail"),
    path("file/<int:attachment_id>/retry/", files.retry, name="retry-file"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", queue.queue, name="queue"),
    path("login/", entry.sign_in, name="login"),
    path("forgotten/", passwords.forgotten, name="forgotten"),
    path("new-password/<uidb64>/<token>/", passwords.NewPassword.as_view(), name="new-password"),
    path("logout/", entry.sign_out, name="logout"),
    path("profile/", entry.profile, name="profile"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="password"),
    path("account/end/", account.end_sign_in, name="end-sign-in"),
    path("account/end-program/", account.end_program, name="end-program"),
    path("account/end-others/", account.end_others, name="end-others"),
    path("account/second-factor/", second_factor.second_factor, name="second-factor"),
    path("account/second-factor/off/", second_factor.second_factor_off, name="second-factor-off"),
    path("take-next/", queue.take_next, name="take-next"),
    path("t/<int:ticket_id>/", include(of_ticket)),
]
