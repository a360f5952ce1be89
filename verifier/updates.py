"""Which later revisions a signed document may have: our rules on top of pyHanko's comparison.

A certificate is final when it is issued, so this is stricter than ISO 32000:
validation data (DSS), document timestamps and further complete signatures, and
of metadata only dates and producer. Everything that pyHanko's default policy
forgives beside that is left out (form values, ``/MarkInfo``, free metadata,
orphaned objects) or replaced by a rule of ours.
"""

import re
from collections.abc import Iterable, Iterator

from asn1crypto import parser
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.reader import HistoricalResolver, RawPdfPath
from pyhanko.sign.diff_analysis import (
    DSSCompareRule,
    FormUpdatingRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    SuspiciousModification,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.commons import compare_dicts, safe_whitelist
from pyhanko.sign.diff_analysis.form_rules_api import FieldComparisonContext, FieldMDPRule, FormUpdate
from pyhanko.sign.diff_analysis.rules_api import Context, QualifiedWhitelistRule, ReferenceUpdate, WhitelistRule

from verifier.xmp import BadPacket, read_packet

MAX_INFO_TEXT = 512  # bytes of a producer or a date in /Info

_CATALOG_KEYS_OF_OTHER_RULES = frozenset({"/AcroForm", "/DSS", "/Extensions", "/Metadata", "/Version"})
_FREE_INFO_KEYS = frozenset({"/ModDate", "/Producer"})
_FREE_NEW_INFO_KEYS = _FREE_INFO_KEYS | {"/CreationDate", "/Creator"}
_FIELD_KEYS = frozenset(
    {
        "/Type",
        "/Subtype",
        "/FT",
        "/T",
        "/TU",
        "/V",
        "/Rect",
        "/F",
        "/Ff",
        "/P",
        "/AP",
        "/Lock",
        "/SV",
        "/Parent",
        "/Kids",
    }
)
# Looks of the widget, as other programs write them; allowed while they refer to nothing.
_PLAIN_FIELD_KEYS = frozenset({"/MK", "/DA", "/Q", "/Border", "/BS", "/H", "/NM", "/M"})
_VRI_KEYS = frozenset({"/Type", "/Cert", "/CRL", "/OCSP", "/TU", "/TS"})
_METADATA_STREAM_KEYS = frozenset({"/Length", "/Filter", "/DecodeParms", "/Type", "/Subtype"})
_DSS_STREAM_KEYS = frozenset({"/Length", "/Filter", "/DecodeParms", "/Type"})
_VERSION = re.compile(r"/[12]\.\d")
_DEVELOPER_PREFIX = re.compile(r"/[A-Za-z0-9_]{1,32}")


class CatalogRule(QualifiedWhitelistRule):
    """Leave the catalog alone but for keys that have rules of their own."""

    def apply_qualified(
        self, old: HistoricalResolver, new: HistoricalResolver
    ) -> Iterable[tuple[ModificationLevel, ReferenceUpdate]]:
        """Compare the two catalogs; yields the reference of the new one."""
        compare_dicts(old.root, new.root, _CATALOG_KEYS_OF_OTHER_RULES)
        _check_version(old.root.get("/Version"), new.root.get("/Version"))
        _check_extensions(old.root, new.root)
        yield ModificationLevel.LTA_UPDATES, ReferenceUpdate(new.root_ref, context_checked=None)


def _check_version(old: object, new: object) -> None:
    if new == old:
        return
    if not isinstance(new, generic.NameObject) or not _VERSION.fullmatch(str(new)) or (old and str(new) < str(old)):
        raise SuspiciousModification("/Version was changed")


def _check_extensions(old_root: generic.DictionaryObject, new_root: generic.DictionaryObject) -> None:
    """Let developer extensions be added: direct, and nothing but levels and versions."""
    old, new = (root.raw_get("/Extensions") if "/Extensions" in root else _empty() for root in (old_root, new_root))
    if new == old:
        return
    if not isinstance(new, generic.DictionaryObject) or not isinstance(old, generic.DictionaryObject):
        raise SuspiciousModification("/Extensions was changed and is not a direct dictionary")
    if not old.keys() <= new.keys() or old.get("/Type") != new.get("/Type", old.get("/Type")):
        raise SuspiciousModification("/Extensions lost an entry")
    for key, value in new.items():
        if key == "/Type":
            continue
        levels = value if isinstance(value, generic.ArrayObject) else [value]
        if not _DEVELOPER_PREFIX.fullmatch(key) or not all(_is_extension_level(level) for level in levels):
            raise SuspiciousModification("/Extensions holds something else than levels")


def _is_extension_level(value: object) -> bool:
    if not isinstance(value, generic.DictionaryObject) or isinstance(value, generic.StreamObject):
        return False
    for key, item in value.items():
        if key not in {"/Type", "/BaseVersion", "/ExtensionLevel", "/ExtensionRevision", "/URL"}:
            return False
        if isinstance(item, generic.IndirectObject | generic.ArrayObject | generic.DictionaryObject):
            return False
    return True


class InfoRule(WhitelistRule):
    """Let only modification date and producer differ in ``/Info``, as the two revisions hold it."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """Compare the two dictionaries; yields the reference of the new one."""
        if "/Info" not in new.trailer_view:
            return
        new_ref = new.trailer_view.get_value_as_reference("/Info")
        old_ref = old.trailer_view.get_value_as_reference("/Info") if "/Info" in old.trailer_view else None
        before = _dictionary(old(old_ref)) if old_ref is not None else _empty()
        after = _dictionary(new(new_ref))
        free = _FREE_INFO_KEYS if old_ref is not None else _FREE_NEW_INFO_KEYS
        compare_dicts(before, after, free)
        for key in free & after.keys():
            value = after.raw_get(key)
            is_text = isinstance(value, generic.TextStringObject | generic.ByteStringObject)
            if not is_text or len(value) > MAX_INFO_TEXT:
                raise SuspiciousModification(f"{key} of /Info is not a short text")
        for ref in safe_whitelist(old, old_ref, new_ref):
            yield ReferenceUpdate(ref, context_checked=Context.from_absolute(old, RawPdfPath("/Info")))


def _dictionary(value: object) -> generic.DictionaryObject:
    if not isinstance(value, generic.DictionaryObject):
        raise SuspiciousModification("a dictionary was replaced by something else")
    return value


def _empty() -> generic.DictionaryObject:
    return generic.DictionaryObject({})  # type: ignore[no-untyped-call] # pyHanko leaves it untyped


class MetadataRule(WhitelistRule):
    """Let only dates, producer and instance differ in the XMP metadata, as the two revisions hold it."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """Compare the two packets; yields the reference of the new one."""
        if "/Metadata" not in new.root:
            if "/Metadata" in old.root:
                raise SuspiciousModification("XMP metadata was removed")
            return
        new_ref = new.root.get_value_as_reference("/Metadata")
        old_ref = None
        before: object = ()  # a packet that says nothing but what may differ is as good as none
        if "/Metadata" in old.root:
            old_ref = old.root.get_value_as_reference("/Metadata")
            if old_ref == new_ref and new_ref not in _touched(new):
                return
            before = _packet(old(old_ref))
        if before != _packet(new(new_ref)):
            raise SuspiciousModification("XMP metadata was changed")
        if new_ref == old_ref or old.is_ref_unassignable(new_ref):
            path = RawPdfPath("/Root", "/Metadata")
            yield ReferenceUpdate(new_ref, context_checked=Context.from_absolute(old, path))


def _packet(stream: object) -> object:
    """Read what an XMP packet says, without what may differ."""
    if not isinstance(stream, generic.StreamObject) or not stream.keys() <= _METADATA_STREAM_KEYS:
        raise SuspiciousModification("/Metadata is not a plain stream")
    try:
        return read_packet(stream.read_data(DecodePurpose.XMP_METADATA))
    except BadPacket as error:
        raise SuspiciousModification("XMP metadata is not a plain packet") from error


class ValidationDataRule(WhitelistRule):
    """Let the DSS grow by certificates, revocation lists and answers, and by nothing else."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """Have pyHanko check the structure, then check what each new stream holds."""
        updates = list(DSSCompareRule().apply(old, new))
        for update in updates:
            value = new(update.updated_ref)
            if isinstance(value, generic.StreamObject):
                _check_validation_stream(value)
        return updates


def _check_validation_stream(stream: generic.StreamObject) -> None:
    if not stream.keys() <= _DSS_STREAM_KEYS:
        raise SuspiciousModification("a stream of the DSS has other keys than a plain stream")
    content = stream.read_data(DecodePurpose.CRL)
    try:
        parser.parse(content, strict=True)
    except ValueError as error:
        raise SuspiciousModification("a stream of the DSS is not DER") from error


def _touched(resolver: HistoricalResolver) -> set[generic.Reference]:
    """Give the references that a revision's own table names."""
    xrefs: set[generic.Reference] = resolver.reader.xrefs.explicit_refs_in_revision(resolver.revision)
    return xrefs


class LooseValidationDataRule(WhitelistRule):
    """Let new entries of the DSS stand that nothing refers to: some programs leave them behind.

    All other objects that nothing refers to are refused.
    """

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """Yield the new objects that are nothing but lists of validation data."""
        for ref in _touched(new):
            if old.is_ref_unassignable(ref) and _is_vri_entry(new(ref)):
                yield ReferenceUpdate(ref)


def _is_vri_entry(value: object) -> bool:
    if not isinstance(value, generic.DictionaryObject) or isinstance(value, generic.StreamObject):
        return False
    if value.get("/Type") != "/VRI" or not value.keys() <= _VRI_KEYS:
        return False
    lists = [value.raw_get(key) for key in ("/Cert", "/CRL", "/OCSP") if key in value]
    return all(
        isinstance(entries, generic.ArrayObject) and all(isinstance(entry, generic.IndirectObject) for entry in entries)
        for entries in lists
    )


class CompleteSignatureRule(FieldMDPRule):
    """Let signature fields be added or filled only by a complete signature, without actions.

    pyHanko allows empty invisible fields, and any direct entry in a new field's
    dictionary, JavaScript included.
    """

    def apply(self, context: FieldComparisonContext) -> Iterable[tuple[ModificationLevel, FormUpdate]]:
        """Look at every field that is not as it was; yields nothing."""
        for name, spec in context.field_specs.items():
            after = spec.new_field
            if after is None or (spec.old_field is not None and _same_entries(spec.old_field, after)):
                continue
            if spec.field_type != "/Sig" or "/V" not in after:
                raise SuspiciousModification(f"field {name!r} was added or changed without being signed")
            if spec.old_field is None:
                _check_new_field(after)
        return ()


def _same_entries(before: generic.DictionaryObject, after: generic.DictionaryObject) -> bool:
    return before.keys() == after.keys() and all(before.raw_get(key) == after.raw_get(key) for key in before)


def _check_new_field(entries: generic.DictionaryObject) -> None:
    _check_field_entries(entries, _FIELD_KEYS)
    for kid in entries.get("/Kids", ()):
        widget = kid.get_object()
        if not isinstance(widget, generic.DictionaryObject):
            raise SuspiciousModification("a new signature field's widget is not a dictionary")
        _check_field_entries(widget, _FIELD_KEYS - {"/Kids", "/T"})


def _check_field_entries(entries: generic.DictionaryObject, known: frozenset[str]) -> None:
    for key in entries.keys() - known:
        if key not in _PLAIN_FIELD_KEYS or _refers(entries.raw_get(key)):
            raise SuspiciousModification(f"a new signature field holds {key}, which a signature does not need")


def _refers(value: object) -> bool:
    if isinstance(value, generic.DictionaryObject):
        return any(_refers(item) for item in value.values())
    if isinstance(value, generic.ArrayObject):
        return any(_refers(item) for item in value)
    return isinstance(value, generic.IndirectObject)


class FormRule(FormUpdatingRule):
    """Compare the forms without pyHanko's leave to change the fields' shared resources."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterator[tuple[ModificationLevel, FormUpdate]]:
        """Yield what pyHanko approves, but for updates that belong to no field at form-filling level."""
        for level, update in super().apply(old, new):
            if level is not ModificationLevel.FORM_FILLING or update.field_name is not None:
                yield level, update


class UpdatePolicy(StandardDiffPolicy):
    """Our policy on later revisions, for pyHanko to apply to each of them."""

    def __init__(self) -> None:
        super().__init__(
            global_rules=[
                CatalogRule(),
                InfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
                MetadataRule().as_qualified(ModificationLevel.LTA_UPDATES),
                XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
                ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
                ValidationDataRule().as_qualified(ModificationLevel.LTA_UPDATES),
                LooseValidationDataRule().as_qualified(ModificationLevel.LTA_UPDATES),
            ],
            form_rule=FormRule(
                field_rules=[
                    SigFieldCreationRule(),  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
                    SigFieldModificationRule(always_modifiable=frozenset({"/Type"})),
                    CompleteSignatureRule(),
                ],
                ignored_acroform_keys=frozenset({"/Fields"}),
            ),
            reject_object_freeing=True,
            ignore_orphaned_objects=False,
            ignore_identical_objects=True,
        )
