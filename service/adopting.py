"""Register a version of a template again from its archive in the store, after a restore of an older registry."""

import tempfile
from pathlib import Path

from press.template_file import load_template
from press.template_folder import open_archive
from registry.templates import archive_name, find_version
from service.house import House


def adopt_template(house: House, issuer_id: str, digest: bytes) -> None:
    """Register a version that a batch names, if the registry does not know it.

    Raises:
        MissingBlob: its archive is not in the store either.
        BadTemplate: the archive is damaged.
        TemplateChanging: it holds another version than its name says.
    """
    with house.database.reading() as session:
        if find_version(session, digest) is not None:
            return
    files = open_archive(house.blobs.read(archive_name(digest)))
    house.folder.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=house.folder.cache) as above:
        folder = Path(above) / files.name
        folder.mkdir()
        files.write(folder)
        template = load_template(folder)
        press = house.press(house.issuer(issuer_id), template)
        house.templates.keep(template, press, house.now())
