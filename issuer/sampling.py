"""Which certificates of a batch are examined before their pack is stored."""

from collections.abc import Callable


class DocumentSample:
    """Has the first certificate of each layout of a batch examined, in every process that prints for it.

    A fault of the press or the template is the same in all certificates of a
    layout, so one tells; to examine each would take many times as long as to
    print it.

    Args:
        examine: takes a whole PDF; raises unless it is as a certificate must be.
    """

    def __init__(self, examine: Callable[[bytes], None]) -> None:
        self._examine = examine
        self._passed: tuple[int, frozenset[bool]] = (0, frozenset())

    def is_due(self, batch_id: int, *, photo: bool) -> bool:
        """Whether no certificate of this layout was examined since another batch was printed."""
        of_batch, layouts = self._passed
        return photo not in layouts or of_batch != batch_id

    def examine(self, batch_id: int, document: bytes, *, photo: bool) -> None:
        """Examine a certificate; it counts when it passes, so whatever is found is found again until it is mended.

        Raises:
            what the examination raises.
        """
        self._examine(document)
        of_batch, layouts = self._passed
        self._passed = (batch_id, (layouts if of_batch == batch_id else frozenset()) | {photo})
