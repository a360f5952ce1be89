"""Split the passphrase of a root key among custodians (SLIP-39, m of n), and join it again.

The passphrase is 128 random bits that nobody sees: it exists as shares, and in
memory while a key file is written or opened. Fewer than m shares tell nothing about
it. A share is 20 words, each of which may also be given as its first four letters or
as the four digits of its place in the word list. Any other SLIP-39 program joins the
same shares; the passphrase is the secret in lower-case hexadecimal.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from shamir_mnemonic.shamir import combine_mnemonics, generate_mnemonics  # type: ignore[import-untyped] # has no types
from shamir_mnemonic.share import Share as _Share  # type: ignore[import-untyped] # has no types
from shamir_mnemonic.utils import MnemonicError  # type: ignore[import-untyped] # has no types
from shamir_mnemonic.wordlist import WORDLIST  # type: ignore[import-untyped] # has no types

from credential.errors import InputError

SECRET_BYTES = 16  # as strong as the Ed25519 keys it protects, and short enough to copy by hand
SHARE_WORDS = 20
MAX_SHARES = 16  # SLIP-39 has four bits for the number of a share
MIN_THRESHOLD = 2  # with one, every custodian would have the key alone

_SHORT = 4  # letters; SLIP-39's words all differ in the first four
_PLACES = {word: place for place, word in enumerate(WORDLIST)}
_PLACES |= {word[:_SHORT]: place for place, word in enumerate(WORDLIST)}
_PLACES |= {f"{place:04d}": place for place in range(len(WORDLIST))}


class BadSplit(InputError):
    """A split that SLIP-39 has not, or that protects nothing."""

    code = "bad-split"

    def __init__(self, threshold: int, of: int) -> None:
        super().__init__(
            f"a passphrase cannot be split {threshold} of {of}; between {MIN_THRESHOLD} and {MAX_SHARES} shares, and "
            f"{MIN_THRESHOLD} or more of them needed",
            f"口令不能按“{of} 份中取 {threshold} 份”拆分; 份数须为 {MIN_THRESHOLD} 至 {MAX_SHARES}, "
            f"且至少需要其中 {MIN_THRESHOLD} 份",
        )


class BadShare(InputError):
    """Words that are no share; the sentence never repeats one."""

    code = "bad-share"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"this is not a share as it was written down: {why_en}", f"输入的内容与所抄份额不符: {why_zh}")


class ShareOfAnotherSet(InputError):
    """A share that was made in another split than those before it."""

    code = "share-of-another-set"

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(
            f"this share is of set {found}, the ones before it of set {wanted}; look for the sheet of set {wanted}",
            f"该份额属于第 {found} 套, 此前各份属于第 {wanted} 套; 请改用第 {wanted} 套的份额",
        )


class ShareTwice(InputError):
    """One share was given two times; that counts once."""

    code = "share-twice"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"share {number} was given before; another custodian's is needed", f"第 {number} 份已输入; 请输入另一份"
        )
        self.number = number


class TooFewShares(InputError):
    """Fewer shares than are needed."""

    code = "too-few-shares"

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"{needed} shares are needed, and there are {found}; fetch another custodian",
            f"需要 {needed} 份, 现有 {found} 份; 请再请一位保管人到场",
        )
        self.found, self.needed = found, needed


class SharesDisagree(InputError):
    """Each share is well-formed, but they do not belong together: one was made up or altered with care."""

    code = "shares-disagree"

    def __init__(self, numbers: Sequence[int]) -> None:
        listed = ", ".join(map(str, numbers))
        super().__init__(
            f"the shares {listed} do not belong together although each is well-formed; one of them is not the one that "
            "was handed out: try another custodian's, and find out which",
            f"第 {listed} 份各自完整, 但不属于同一口令; 其中有一份不是当初发放的: 请换用其他保管人的份额并查明原因",
        )


@dataclass(frozen=True, slots=True)
class Share:
    """One custodian's share; its printed form never shows the words.

    Attributes:
        words: 20, of SLIP-39's list.
        set_name: the same for all shares of one split, as ``3f2a``; no secret.
        number: of this share, from 1.
        threshold: how many shares are needed.
    """

    words: tuple[str, ...] = field(repr=False)
    set_name: str
    number: int
    threshold: int

    @property
    def places(self) -> tuple[int, ...]:
        """The place of each word in the list, 0 to 1023; another way to write the same share."""
        return tuple(_PLACES[word] for word in self.words)


@dataclass(frozen=True, slots=True)
class SplitPassphrase:
    """A new passphrase and its shares; its printed form shows neither."""

    passphrase: bytes = field(repr=False)
    shares: tuple[Share, ...] = field(repr=False)


def split_new_passphrase(threshold: int, of: int) -> SplitPassphrase:
    """Make a passphrase from the operating system's randomness, and its shares.

    Raises:
        BadSplit: not 2 or more of at most 16.
    """
    if not MIN_THRESHOLD <= threshold <= of <= MAX_SHARES:
        raise BadSplit(threshold, of)
    secret = secrets.token_bytes(SECRET_BYTES)
    (texts,) = generate_mnemonics(1, [(threshold, of)], secret, iteration_exponent=0)
    return SplitPassphrase(secret.hex().encode("ascii"), tuple(map(read_share, texts)))


def read_share(text: str) -> Share:
    """Read a share from its words, their first four letters, or the digits of their places.

    Raises:
        BadShare: a word is not in the list, there are not 20, they were mixed up or
            mistyped (any three wrong words are always noticed), or another program made them.
    """
    tokens = text.lower().split()
    for place, token in enumerate(tokens, 1):
        if token not in _PLACES:
            raise BadShare(f"word {place} is not in the list", f"第 {place} 个词不在词表中")
    if len(tokens) != SHARE_WORDS:
        raise BadShare(
            f"{len(tokens)} words instead of {SHARE_WORDS}", f"应为 {SHARE_WORDS} 个词, 实为 {len(tokens)} 个"
        )
    words = tuple(WORDLIST[_PLACES[token]] for token in tokens)
    try:
        read = _Share.from_mnemonic(" ".join(words))
    except MnemonicError as error:
        raise BadShare("a word is wrong or out of its place", "有词抄错或次序颠倒") from error
    if (read.group_count, read.group_threshold) != (1, 1) or read.member_threshold < MIN_THRESHOLD:
        raise BadShare("it was not made by this program", "并非由本程序生成")
    return Share(words, f"{read.identifier:04x}", read.index + 1, read.member_threshold)


def add_share(shares: Sequence[Share], new: Share) -> tuple[Share, ...]:
    """Put a share to those before it, so that each custodian learns at once what is wrong.

    Raises:
        ShareOfAnotherSet: it is of another split.
        ShareTwice: it is there already.
    """
    for before in shares:
        if (new.set_name, new.threshold) != (before.set_name, before.threshold):
            raise ShareOfAnotherSet(new.set_name, before.set_name)
        if new.number == before.number:
            raise ShareTwice(new.number)
    return (*shares, new)


def join_shares(shares: Sequence[Share]) -> bytes:
    """Work the passphrase out; shares beyond the threshold must agree with it.

    Raises:
        TooFewShares: not as many as are needed.
        ShareOfAnotherSet: they are of several splits.
        ShareTwice: one stands there twice.
        SharesDisagree: they do not belong together.
    """
    together: tuple[Share, ...] = ()
    for share in shares:
        together = add_share(together, share)
    needed = shares[0].threshold if shares else MIN_THRESHOLD
    if len(together) < needed:
        raise TooFewShares(len(together), needed)
    secret = _combine(together[:needed])
    for extra in together[needed:]:
        if _combine((*together[: needed - 1], extra)) != secret:
            raise SharesDisagree([one.number for one in together])
    return secret.hex().encode("ascii")


def _combine(shares: Sequence[Share]) -> bytes:
    try:
        return bytes(combine_mnemonics([" ".join(share.words) for share in shares]))
    except MnemonicError as error:
        raise SharesDisagree([share.number for share in shares]) from error
