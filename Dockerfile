# syntax=docker/dockerfile:1
# One image with every role; the command chooses:
#   web   (default)
#   bot   python manage.py runbot
#   jobs  python manage.py runjobs, or celery --app helpdesk.jobs.celery worker|beat
# and, before a new version starts, python manage.py migrate

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY requirements.txt requirements.lock /build/
RUN pip install --requirement /build/requirements.txt
WORKDIR /app
COPY . .
# Static files need no secret of production; the key lives for this one command.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" LOG_DIR="" \
    python manage.py collectstatic --no-input --verbosity 0 \
    && python -m compileall -q helpdesk tickets botbridge

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_DIR=""
RUN groupadd --system --gid 10001 helpdesk \
    && useradd --system --uid 10001 --gid helpdesk --home-dir /app --shell /usr/sbin/nologin helpdesk
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# Only var is the processes' to write to.
RUN install --directory --owner=helpdesk --group=helpdesk var var/media var/backups
USER 10001:10001
VOLUME /app/var/media /app/var/backups
EXPOSE 8000
# For the web role; bot and jobs answer no HTTP: give them "python manage.py healthcheck" instead.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
CMD ["gunicorn", "--config", "helpdesk/gunicorn.py", "helpdesk.asgi:application"]
