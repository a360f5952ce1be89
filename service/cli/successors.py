"""Show the approver whose place the rows of a batch take, and what is different."""

from credential.reasons import CHANGE_NAMES
from credential.schema import FieldKind, RecordSchema
from service.batches import schema_of
from service.cli.language import say
from service.cli.screens import console, pairs, plain
from service.house import House
from service.successions import successions

_KINDS = {"correction": ("更正", "correction of"), "replacement": ("换发", "replacement of")}


_OF_HOLDER = {
    FieldKind.NAME: "name",
    FieldKind.SEX: "sex",
    FieldKind.ID_NUMBER: "id_number",
    FieldKind.ID_TYPE: "id_type",
}


def _names(schema: RecordSchema) -> dict[str, str]:
    """How the columns of a batch are headed, by what a succession calls them."""
    own = {"id_type": say("证件类型", "type of document"), "photo": say("照片", "photo")}
    return own | {_OF_HOLDER.get(one.kind, one.key): plain(say(one.heading, one.english)) for one in schema.fields}


def show_successions(house: House, batch_id: int) -> None:
    """Print one table for each successor among the rows of a batch."""
    found = successions(house, batch_id)
    if not found:
        return
    names = _names(schema_of(house, batch_id))
    for one in found:
        what = say(*_KINDS[one.kind])
        rows = {
            names.get(key, key): f"{plain(old) or '-'} → {plain(new) or '-'}" for key, (old, new) in one.changed.items()
        }
        rows[say("原因", "reason")] = say(*CHANGE_NAMES[one.reason])
        console.print(pairs(f"{what} {one.serial} v{one.version}", rows))
