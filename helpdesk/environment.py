"""How settings are read: from the environment, or from files that it names, as containers are given secrets."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping


class TrimmedFiles(FileAwareMapping):  # type: ignore[misc]  # comes without types
    """`NAME`, or what is in the file `NAME_FILE` names, without the line's end that editors leave in it.

    :raises ImproperlyConfigured: the file cannot be read.
    """

    def __getitem__(self, key: str) -> Any:
        try:
            value = super().__getitem__(key)
        except OSError as error:
            raise ImproperlyConfigured(f"{key}_FILE names {error.filename}: {error.strerror}.") from error
        return value.strip() if f"{key}_FILE" in self.env else value


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # comes without types
    ENVIRON = TrimmedFiles()

    def list(self, *args: Any, **kwargs: Any) -> Any:
        """What stands between commas, without the space that people put after them."""
        return [item.strip() for item in super().list(*args, **kwargs) if item.strip()]
