"""Who witnesses this installation's log: names, keys and number in the trust list, addresses beside it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from credential.cosignature import read_cosignatures, read_witness_key, spki_of
from credential.errors import ConfigError, InputError, RefusedError, UnavailableError
from credential.note import note_key_id, parse_note, verify_note
from credential.trust import Role, TrustList, Witness
from registry.log.files import replace_durably
from service.folder import DataFolder
from service.trust import Amended, amend_trust_list, newest_trust_list
from verifier.witnessed import independent_witnesses

if TYPE_CHECKING:
    from service.house import House

_FILE = "witnesses.json"


class BadWitnessAddress(InputError):
    """An address that no witness can be asked at."""

    code = "bad-witness-address"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url[:200]!r} is no address to ask a witness at; give one as https://witness.example.gov.cn",
            f"“{url[:200]}”不是见证方的网址; 应形如 https://witness.example.gov.cn",
        )
        self.url = url


class WitnessTaken(RefusedError):
    """A witness's name or key is in the trust list already, with another key or for another purpose."""

    code = "witness-taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the name or the key of {name} stands in the trust list already; a witness's key does nothing else",
            f"信任列表中已有 {name} 的名称或密钥; 见证方的密钥不得另作他用",
        )
        self.name = name


class UnknownWitness(InputError):
    """No witness of the trust list has this name."""

    code = "unknown-witness"

    def __init__(self, name: str, known: list[str]) -> None:
        listed = ", ".join(known) or "-"
        super().__init__(
            f"the trust list has no witness {name[:200]!r}; it has {listed}",
            f"信任列表中没有见证方“{name[:200]}”; 现有: {listed}",
        )
        self.name = name


class TooFewWitnesses(RefusedError):
    """More witnesses were demanded than there are, or than answer."""

    code = "too-few-witnesses"

    def __init__(self, wanted: int, found: int) -> None:
        super().__init__(
            f"{wanted} witnesses cannot be demanded while {found} cosign; nothing could be printed. Add witnesses, or "
            "see why they do not answer: yinzheng witness list",
            f"目前只有 {found} 个见证方联署, 不能要求 {wanted} 个, 否则无法出证; 请添加见证方, "
            "或用 yinzheng witness list 查看未应答原因",
        )
        self.wanted = wanted
        self.found = found


class BadWitnessFile(ConfigError):
    """The file with the witnesses' addresses cannot be read."""

    code = "bad-witness-file"

    def __init__(self, folder: DataFolder) -> None:
        path = folder.root / _FILE
        super().__init__(
            f"{path} does not hold the witnesses' addresses; give them again with: yinzheng witness add",
            f"{path} 中没有有效的见证方网址; 请用 yinzheng witness add 重新登记",
        )


class NotCosigned(UnavailableError):
    """A witness did not give its cosignature; told of, and never raised to whoever logs."""

    code = "not-cosigned"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(why_en, why_zh)


class WitnessList:
    """What the newest trust list says of witnesses, read again when it was replaced; safe to share among threads."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._lock = Lock()
        self._read_at: tuple[int, ...] | None = None
        self._trust: TrustList | None = None

    def trust(self) -> TrustList:
        """The newest trust list, even if it has expired: what is demanded does not end with it.

        Raises:
            BadPinnedRoots: roots or list are missing or damaged.
            InputError, RefusedError: the list is not one to believe.
        """
        with self._lock:
            found = self._folder.trust_list.stat() if self._folder.trust_list.exists() else None
            read_at = None if found is None else (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._trust is None or read_at != self._read_at:
                self._trust, self._read_at = newest_trust_list(self._folder), read_at
            return self._trust

    def threshold(self) -> int:
        """How many witnesses must have cosigned; raises as :meth:`trust`."""
        return self.trust().witness_threshold

    def count(self, note: str) -> int:
        """How many witnesses cosigned a note, as a verifier counts; raises as :meth:`trust`, and BadNote."""
        return count_cosigned(self.trust(), note)

    def addresses(self) -> Mapping[str, str]:
        """The address of each witness by its name.

        Raises:
            BadWitnessFile: the file is damaged.
        """
        try:
            told = json.loads((self._folder.root / _FILE).read_text("utf-8"))
            return {str(name): check_address(url) for name, url in told.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError, BadWitnessAddress) as error:
            raise BadWitnessFile(self._folder) from error

    def set_address(self, name: str, url: str) -> None:
        """Remember where a witness is asked, durably; an unreadable file is written anew."""
        known: dict[str, str] = {}
        with suppress(BadWitnessFile):
            known = dict(self.addresses())
        content = json.dumps(known | {name: url}, indent=1, sort_keys=True) + "\n"
        replace_durably({self._folder.root / _FILE: content.encode()})


def count_cosigned(trust: TrustList, note: str) -> int:
    """Count the witnesses that cosigned a note, and look at every line of a known key as a verifier will.

    Args:
        trust: names the witnesses and the log's keys.
        note: a checkpoint; not trusted.

    Raises:
        BadNote: no note, or a line by a known key is bad, so that verifiers refuse all of it (C2SP signed-note).
    """
    parsed = parse_note(note)
    present = {(one.name, one.key_id) for one in parsed.signatures}
    for key in trust.keys:
        if key.role is Role.LOG and (trust.log_origin, note_key_id(trust.log_origin, key.public_key)) in present:
            verify_note(parsed, trust.log_origin, key.public_key)
    cosigned = {one.witness for one in read_cosignatures(note, trust.witnesses)}
    return len(cosigned & set(independent_witnesses(trust)))


def check_address(url: str) -> str:
    """Return the address without a last slash, or refuse it.

    Raises:
        BadWitnessAddress: not http or https, or no host.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.port != 0
    except (ValueError, AttributeError) as error:
        raise BadWitnessAddress(str(url)) from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if (
        not (is_good and plain and parts.scheme in {"http", "https"} and parts.hostname)
        or parts.query
        or parts.fragment
    ):
        raise BadWitnessAddress(url)
    return url.rstrip("/")


def add_witness(house: "House", key: str, url: str) -> tuple[Witness, Amended | None]:
    """Add a witness to the trust list, or give one that stands there another address.

    Args:
        house: whose log is to be witnessed.
        key: the witness's, ``name+key id+base64``.
        url: where it is asked.

    Returns:
        The witness, and what became of the list; None when it stood there already.

    Raises:
        BadNamedKey, BadWitnessAddress: not well formed.
        WitnessTaken: the name has another key, or the key another name or purpose.
        and what ``amend_trust_list`` raises.
    """
    witness = read_witness_key(key)
    address = check_address(url)
    known = house.witness_list.trust()
    amended = None
    if witness not in known.witnesses:
        _check_free(known, witness)
        house.witness_list.set_address(witness.name, address)

        def add(trust: TrustList) -> TrustList:
            return replace(trust, witnesses=(*(one for one in trust.witnesses if one != witness), witness))

        amended = amend_trust_list(house, add, why=f"witness {witness.name} added")
    else:
        house.witness_list.set_address(witness.name, address)
    return witness, amended


def remove_witness(house: "House", name: str) -> Amended:
    """Take a witness out of the trust list: its cosignatures count no more, on what was printed before either.

    Raises:
        UnknownWitness: there is none of this name.
        TooFewWitnesses: more would be demanded than are left.
        and what ``amend_trust_list`` raises.
    """
    known = house.witness_list.trust()
    left = tuple(one for one in known.witnesses if one.name != name)
    if len(left) == len(known.witnesses):
        raise UnknownWitness(name, [one.name for one in known.witnesses])
    if known.witness_threshold > len(left):
        raise TooFewWitnesses(known.witness_threshold, len(left))

    def remove(trust: TrustList) -> TrustList:
        return replace(trust, witnesses=tuple(one for one in trust.witnesses if one.name != name))

    return amend_trust_list(house, remove, why=f"witness {name} removed")


def require_witnesses(house: "House", wanted: int, cosigned: int) -> Amended:
    """Demand from now on that so many witnesses have cosigned what proofs rest on.

    Args:
        house: of the log.
        wanted: how many, k; 0 demands none.
        cosigned: how many have cosigned the newest checkpoint just now.

    Raises:
        TooFewWitnesses: fewer cosign, so that nothing could be printed any more.
        and what ``amend_trust_list`` raises.
    """
    if wanted > cosigned:
        raise TooFewWitnesses(wanted, cosigned)

    def demand(trust: TrustList) -> TrustList:
        return replace(trust, witness_threshold=wanted)

    return amend_trust_list(house, demand, why=f"{wanted} witnesses demanded")


def _check_free(trust: TrustList, witness: Witness) -> None:
    names = {one.name for one in trust.witnesses} | {trust.log_origin}
    keys = {spki_of(one.public_key) for one in trust.witnesses} | {
        *trust.roots,
        *(key.public_key for key in trust.keys),
    }
    if witness.name in names or spki_of(witness.public_key) in keys:
        raise WitnessTaken(witness.name)
