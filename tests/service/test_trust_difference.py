"""Whoever signs a draft is told every change in it, and nothing is changed without being told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from credential.ports import Algorithm
from credential.trust import FormerLog, Role, TrustedIssuer, TrustedKey, TrustList, Witness
from keys.file_signer import generate_key
from service.folder import DataFolder
from service.pinned import read_own_trust_list
from service.trust_difference import differences
from tests.service.at_hand import run

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NEW = TrustedKey(Role.QR, "11649900MB0T000311", Algorithm.P256, generate_key(Algorithm.P256).public_key, NOW)

CHANGES: dict[str, tuple[Callable[[TrustList], TrustList], str]] = {
    "another issuer": (
        lambda one: replace(one, issuers=(*one.issuers, TrustedIssuer("11649900MB0T000236", "示例县"))),
        "issuer added: 示例县",
    ),
    "an issuer less": (lambda one: replace(one, issuers=()), "issuer removed"),
    "a new name": (lambda one: replace(one, issuers=(replace(one.issuers[0], name="新名"),)), "issuer renamed"),
    "another key": (lambda one: replace(one, keys=(*one.keys, NEW)), "key added: qr 11649900MB0T000311 p-256"),
    "a key less": (lambda one: replace(one, keys=one.keys[1:]), "key removed: log"),
    "a key retired": (
        lambda one: replace(one, keys=(replace(one.keys[0], valid_until=NOW), *one.keys[1:])),
        "until 2026-11-22",
    ),
    "a key lost": (
        lambda one: replace(one, keys=(replace(one.keys[0], compromised_since=NOW), *one.keys[1:])),
        "compromised since 2026-11-22",
    ),
    "another root": (lambda one: replace(one, roots=(*one.roots, NEW.public_key)), "root added"),
    "fewer roots needed": (lambda one: replace(one, threshold=9), "root signatures needed: 1 → 9"),
    "another CA": (lambda one: replace(one, ca_certs=(*one.ca_certs, b"x")), "CA certificate added"),
    "another TSA": (lambda one: replace(one, tsa_certs=(b"x",)), "TSA certificate added"),
    "a witness": (lambda one: replace(one, witnesses=(Witness("w.example", bytes(32)),)), "witness added: w.example"),
    "witnesses needed": (lambda one: replace(one, witness_threshold=2), "witnesses needed: 0 → 2"),
    "another log": (lambda one: replace(one, log_origin="other.example/log"), "→ other.example/log"),
    "a former log": (lambda one: replace(one, former_logs=(FormerLog("a", 1, bytes(32)),)), "former log added: a"),
}


@pytest.fixture(scope="module")
def trust(made: Path) -> TrustList:
    return read_own_trust_list(DataFolder(made), datetime.now(UTC))


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_told_once(name: str, trust: TrustList) -> None:
    change, told = CHANGES[name]
    (found,) = differences(trust, change(trust))

    assert told in found[1]
    assert found[0] != found[1]


def test_a_renewal_changes_nothing_else(trust: TrustList) -> None:
    later = replace(trust, version=99, issued_at=NOW, expires=NOW + timedelta(days=1))

    assert differences(trust, later) == []


def test_every_part_of_a_list_is_compared(trust: TrustList) -> None:
    """A part that is added to the list some day must not slip through."""
    changed = set()
    for change, _ in CHANGES.values():
        after = change(trust)
        changed |= {name for name in TrustList.__slots__ if getattr(after, name) != getattr(trust, name)}

    assert set(TrustList.__slots__) - changed == {"version", "issued_at", "expires"}


def test_the_command_shows_them(made: Path) -> None:
    lists = made / "public" / "trust-lists"
    shown = run("--data", made, "trust", "show", lists / "2.json", "--before", lists / "1.json").out
    assert "issuer added: 示例市人力资源和社会保障局" in shown
    assert shown.count("key added") == 2
    assert "renewed only" in run("trust", "show", lists / "2.json", "--before", lists / "2.json").out
