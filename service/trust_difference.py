"""Say what a trust list changes, for whoever is about to sign it: the server that drafted it may be a thief's."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from credential.cose import key_id
from credential.trust import TrustedKey, TrustList

Told = tuple[str, str]
"""The same in Chinese and in English."""


def differences(before: TrustList, after: TrustList) -> list[Told]:
    """Every difference but version and times of the list; empty for a mere renewal."""
    return [
        *_names({one.uscc: one.name for one in before.issuers}, {one.uscc: one.name for one in after.issuers}),
        *_keys({one.public_key: one for one in before.keys}, {one.public_key: one for one in after.keys}),
        *_sets(("根密钥", "root"), _digests(before.roots), _digests(after.roots)),
        *_values(("根签名门限", "root signatures needed"), before.threshold, after.threshold),
        *_sets(("CA 证书", "CA certificate"), _digests(before.ca_certs), _digests(after.ca_certs)),
        *_sets(("时间戳证书", "TSA certificate"), _digests(before.tsa_certs), _digests(after.tsa_certs)),
        *_sets(("见证方", "witness"), _witnesses(before), _witnesses(after)),
        *_values(("见证门限", "witnesses needed"), before.witness_threshold, after.witness_threshold),
        *_values(("日志", "log"), before.log_origin, after.log_origin),
        *_sets(("停用的日志", "former log"), _logs(before), _logs(after)),
    ]


def _names(before: dict[str, str], after: dict[str, str]) -> Iterator[Told]:
    for uscc in sorted({*before, *after}):
        was, now = before.get(uscc), after.get(uscc)
        if was is None:
            yield f"新增发证机构 {now} ({uscc})", f"issuer added: {now} ({uscc})"
        elif now is None:
            yield f"删除发证机构 {was} ({uscc})", f"issuer removed: {was} ({uscc})"
        elif was != now:
            yield f"发证机构改名: {was} → {now} ({uscc})", f"issuer renamed: {was} → {now} ({uscc})"


def _keys(before: dict[bytes, TrustedKey], after: dict[bytes, TrustedKey]) -> Iterator[Told]:
    for public_key, key in after.items():
        was, named = before.get(public_key), _named(key)
        if was is None:
            yield f"新增密钥 {named}{_since(key)[0]}", f"key added: {named}{_since(key)[1]}"
        elif was != key:
            yield f"密钥有变更 {named}{_since(key)[0]}", f"key changed: {named}{_since(key)[1]}"
    for public_key, key in before.items():
        if public_key not in after:
            yield f"删除密钥 {_named(key)}", f"key removed: {_named(key)}"


def _named(key: TrustedKey) -> str:
    return " ".join(part for part in (key.role, key.issuer, key.algorithm, key_id(key.public_key).hex()) if part)


def _since(key: TrustedKey) -> Told:
    zh, en = f", {_day(key.valid_from)} 起", f", from {_day(key.valid_from)}"
    if key.valid_until is not None:
        zh, en = f"{zh}至 {_day(key.valid_until)}", f"{en} until {_day(key.valid_until)}"
    if key.compromised_since is not None:
        zh, en = f"{zh}, {_day(key.compromised_since)} 起失密", f"{en}, compromised since {_day(key.compromised_since)}"
    return zh, en


def _sets(what: Told, before: set[str], after: set[str]) -> Iterator[Told]:
    for one in sorted(after - before):
        yield f"新增{what[0]} {one}", f"{what[1]} added: {one}"
    for one in sorted(before - after):
        yield f"删除{what[0]} {one}", f"{what[1]} removed: {one}"


def _values(what: Told, before: object, after: object) -> Iterator[Told]:
    if before != after:
        yield f"{what[0]}: {before} → {after}", f"{what[1]}: {before} → {after}"


def _digests(values: tuple[bytes, ...]) -> set[str]:
    return {sha256(one).hexdigest() for one in values}


def _witnesses(trust: TrustList) -> set[str]:
    return {f"{one.name} {one.public_key.hex()}" for one in trust.witnesses}


def _logs(trust: TrustList) -> set[str]:
    return {f"{one.origin} ({one.size}, {one.root.hex()})" for one in trust.former_logs}


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
