"""Backups: database and files in one archive that either database server takes back with the same content."""

from helpdesk.backup.errors import BackupError
from helpdesk.backup.making import Made, back_up
from helpdesk.backup.nightly import backup_facts, nightly_backup
from helpdesk.backup.restoring import Restored, restore

__all__ = ["BackupError", "Made", "Restored", "back_up", "backup_facts", "nightly_backup", "restore"]
