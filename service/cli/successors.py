"""Show the approver whose place the rows of a batch take, and what is different."""

from credential.reasons import CHANGE_NAMES
from service.cli.language import say
from service.cli.screens import console, pairs, plain
from service.house import House
from service.successions import successions

_KINDS = {"correction": ("更正", "correction of"), "replacement": ("换发", "replacement of")}


def show_successions(house: House, batch_id: int) -> None:
    """Print one table for each successor among the rows of a batch."""
    for one in successions(house, batch_id):
        what = say(*_KINDS[one.kind])
        rows = {key: f"{plain(old) or '-'} → {plain(new) or '-'}" for key, (old, new) in one.changed.items()}
        rows[say("原因", "reason")] = say(*CHANGE_NAMES[one.reason])
        console.print(pairs(f"{what} {one.serial} v{one.version}", rows))
