"""The keys of backups, for those who administer the machine: to be kept away from it."""

from __future__ import annotations

from shipway.database.backups.keeping import key_name, named
from shipway.database.backups.records import Records
from shipway.environments.apps import Apps
from shipway.environments.variables import Variables
from shipway.environments.vault import Vault
from shipway.kit import clock, db
from shipway.kit.settings import Settings
from shipway.workflows import names


async def backup_keys(settings: Settings) -> dict[str, str]:
    """Return the key of every repository that holds backups, and record that they were taken.

    Raises `errors.Unavailable` for anybody who may not read the vault's key.
    """
    database = db.Database(settings.database_url, name="backup keys", size=1)
    await database.open()
    try:
        secrets = Variables(database, Vault.at(settings.home, opens=True))
        records, found = Records(database), {}
        for app in await Apps(database).all():
            for environment in names.DEPLOYED:
                for number in await records.backups(app.name, environment):
                    key = await secrets.internal(app.name, environment, key_name(number))
                    found[f"{app.name} {environment}, {named(number).lower()}"] = key
                await records.mark_exported(app.name, environment, now=clock.now())
        return found
    finally:
        await database.close()
