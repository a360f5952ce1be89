"""Rules over a whole file: duplicates, 就高换发, 不予换证.

A template's shape names the rules it wants; duplicates are looked for always.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping

from credential.schema import BadSchema, FieldKind, RecordSchema, Shape
from intake.findings import error, skipped, warning
from intake.rows import CheckedRows, key_of

# The inside cover of such certificates says 在全区非公有制经济组织范围内有效或所属范围内有效 (DOMAIN 1.9 I3).
_LIMITED_SCOPE = re.compile(
    "非公有制经济组织(?:范围)?内?有效|(?:所属|本)(?:范围|领域|行业|系统|单位|部门)(?:范围)?内?有效"
)
LIMITED_SCOPE_CODE = "limited-scope"


def apply_rules(rows: CheckedRows, schema: RecordSchema, shape: Shape) -> None:
    """Apply every rule of the shape, then look for duplicates.

    Raises:
        BadSchema: the shape names a rule that intake does not have.
    """
    for name in shape.rules:
        if name not in _RULES:
            raise BadSchema(
                f"record.toml names the rule {name!r}, which intake does not have; it has {', '.join(_RULES)}",
                f"record.toml 中的规则“{name}”不存在, 现有: {'、'.join(_RULES)}",
            )
    for name in _RULES:  # in this order, since the second must know what the first refused
        if name in shape.rules:
            _RULES[name](rows, schema)
    find_duplicates(rows, schema)
    find_shared_numbers(rows, schema)


def refuse_limited_scope(rows: CheckedRows, schema: RecordSchema) -> None:
    """Refuse certificates that are valid only in part of the region (不予换证)."""
    for one in schema.fields:
        if one.kind is not FieldKind.REMARK:
            continue
        for position, remark in enumerate(rows.values[one.key]):
            if remark and _LIMITED_SCOPE.search(remark):
                finding = error(
                    LIMITED_SCOPE_CODE,
                    f"备注“{remark[:40]}”表明原证书仅在部分范围有效, 不予换证",
                    f"by the remark {remark[:40]!r} the certificate is valid only in part of the region: not exchanged",
                )
                rows.add(position, one.key, finding)


def highest_only(rows: CheckedRows, schema: RecordSchema) -> None:
    """Pass over a person's lower certificates; only the highest is exchanged (就高换发).

    A certificate that is itself not exchanged for its limited scope does not
    count; one with an error to be corrected does.
    """
    level_key = key_of(schema, FieldKind.LEVEL)
    if rows.titles is None or not level_key:
        return
    levels = rows.values[level_key]
    for positions in _by_person(rows, schema).values():
        ranked = [(rows.titles.rank(levels[at]), at) for at in positions if levels[at] and not _is_limited(rows, at)]
        if len(ranked) < 2:
            continue
        best, first = min(ranked)
        for rank, position in ranked:
            if rank > best:
                finding = skipped(
                    "lower-level",
                    f"该人员在第 {rows.numbers[first]} 行另有{levels[first]}证书, 就高换发, 本行不换发",
                    f"the same person has a certificate of level {levels[first]} in row {rows.numbers[first]}; "
                    "only the highest is exchanged",
                )
                rows.add(position, "", finding)


def find_duplicates(rows: CheckedRows, schema: RecordSchema) -> None:
    """Refuse a row that repeats person and title of an earlier one."""
    id_key = key_of(schema, FieldKind.ID_NUMBER)
    if not id_key:
        return
    keys = zip(rows.values[id_key], *(rows.values[key] for key in schema.unique_by), strict=True)
    first: dict[tuple[str, ...], int] = {}
    for position, key in enumerate(keys):
        earlier = first.setdefault(key, position)
        if earlier == position or "" in key or _other_type(rows, schema, earlier, position):
            continue
        number = rows.numbers[earlier]
        finding = error(
            "duplicate-row",
            f"与第 {number} 行重复(同一人员、同一资格或项目), 请删除其中一行",
            f"it repeats row {number} (same person, same matter); delete one of the two",
        )
        rows.add(position, id_key, finding)


def find_shared_numbers(rows: CheckedRows, schema: RecordSchema) -> None:
    """Refuse a certificate number that an earlier row gives to another person."""
    id_key = key_of(schema, FieldKind.ID_NUMBER)
    for one in schema.fields:
        if one.kind is not FieldKind.CERTIFICATE_NUMBER or one.key not in rows.values or not id_key:
            continue
        first: dict[str, int] = {}
        people = rows.values[id_key]
        for position, number in enumerate(rows.values[one.key]):
            if not number:
                continue
            earlier = first.setdefault(number, position)
            if earlier == position:
                continue
            row = rows.numbers[earlier]
            if people[earlier] != people[position]:
                finding = error(
                    "number-of-another",
                    f"证书编号“{number}”已用于第 {row} 行的另一人员, 请核对",
                    f"the certificate number {number!r} belongs to another person in row {row}; compare both",
                )
            else:
                finding = warning(
                    "number-repeated",
                    f"证书编号“{number}”与同一人员的第 {row} 行相同, 请核对",
                    f"the certificate number {number!r} also stands in row {row} of the same person; compare both",
                )
            rows.add(position, one.key, finding)


def _by_person(rows: CheckedRows, schema: RecordSchema) -> dict[tuple[str, str], list[int]]:
    id_key, type_key = key_of(schema, FieldKind.ID_NUMBER), key_of(schema, FieldKind.ID_TYPE)
    people: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    types = rows.values.get(type_key, [""] * len(rows.numbers))
    for position, person in enumerate(zip(types, rows.values.get(id_key, []), strict=False)):
        if person[1]:
            people[person].append(position)
    return {person: positions for person, positions in people.items() if len(positions) > 1}


def _is_limited(rows: CheckedRows, position: int) -> bool:
    return any(finding.code == LIMITED_SCOPE_CODE for _, finding in rows.findings.get(position, ()))


def _other_type(rows: CheckedRows, schema: RecordSchema, one: int, other: int) -> bool:
    types = rows.values.get(key_of(schema, FieldKind.ID_TYPE))
    return types is not None and types[one] != types[other]


_RULES: Mapping[str, Callable[[CheckedRows, RecordSchema], None]] = {
    "refuse-limited-scope": refuse_limited_scope,
    "highest-only": highest_only,
}
