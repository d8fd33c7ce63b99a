"""The web process's entry point: Django's WSGI application in a fixed pool of threads."""

from a2wsgi import WSGIMiddleware

from helpdesk.wsgi import application as django_application

#: Requests one process answers at a time, and so its database connections.
DJANGO_THREADS = 8

application = WSGIMiddleware(django_application, workers=DJANGO_THREADS)  # type: ignore[arg-type]
