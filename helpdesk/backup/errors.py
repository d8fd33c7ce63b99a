"""Why a backup or a restore cannot be made, in words for whoever runs it."""


class BackupError(Exception):
    """It stopped; nothing half made is left behind."""


class DamagedError(BackupError):
    """The archive is not what was written, so nothing of it is used."""
