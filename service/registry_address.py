"""Where the registry's database is: a file in the data folder, or a PostgreSQL server that the settings name."""

from keys.private_files import read_private
from registry.engines import Address, file_address, read_address
from service.folder import DataFolder
from service.settings import Settings


def registry_address(settings: Settings) -> Address:
    """The address to open the registry with; the password comes from its file and stands nowhere else.

    Raises:
        BadDatabaseAddress: the setting is no address, or holds a password.
        OpenToOthers: others may read the password's file.
        UnreadablePrivateFile: it cannot be read.
    """
    if not settings.database:
        return file_address(DataFolder(settings.data).database)
    password = ""
    if settings.database_password_file is not None:
        password = read_private(settings.database_password_file).decode().partition("\n")[0].removesuffix("\r")
    return read_address(settings.database, password)
