"""Read the status lists that were published, without the key that signs them."""

from pathlib import Path

from registry.status.publisher import UnknownStatusList


class PublishedLists:
    """The folder of published lists, as a verifier reads it.

    Args:
        folder: where ``registry.status.publisher.StatusLists`` writes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def token(self, list_number: int) -> bytes:
        """Read the newest published CWT of a list.

        Raises:
            UnknownStatusList: there is none.
        """
        try:
            return (self._folder / f"{list_number}.cwt").read_bytes()
        except FileNotFoundError as error:
            raise UnknownStatusList(list_number) from error
