"""A passphrase in shares: any m of n give it, fewer give nothing, and every mistake has its own sentence."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic import combine_mnemonics, generate_mnemonics  # type: ignore[import-untyped] # has no types
from shamir_mnemonic.share import Share as Raw  # type: ignore[import-untyped] # has no types
from shamir_mnemonic.wordlist import WORDLIST  # type: ignore[import-untyped] # has no types

from keys.shares import (
    BadShare,
    BadSplit,
    Share,
    ShareOfAnotherSet,
    SharesDisagree,
    ShareTwice,
    SplitPassphrase,
    TooFewShares,
    add_share,
    join_shares,
    read_share,
    split_new_passphrase,
)

# The first vector of SLIP-39's own list that has several members in one group (2 of 3, no passphrase), and its secret
# under the passphrase "TREZOR"; https://github.com/trezor/python-shamir-mnemonic/blob/master/vectors.json
VECTOR = [
    line.replace("\n", " ")
    for line in (
        """shadow pistol academic always adequate wildlife fancy gross oasis cylinder
mustang wrist rescue view short owner flip making coding armed""",
        """shadow pistol academic acid actress prayer class unknown daughter sweater
depict flip twice unkind craft early superior advocate guest smoking""",
    )
]
VECTOR_SECRET = "b43ceb7e57a0ea8766221624d01b0864"


def text(share: Share) -> str:
    return " ".join(share.words)


@pytest.fixture(scope="module")
def split() -> SplitPassphrase:
    return split_new_passphrase(3, 5)


def test_any_three_of_five_give_the_passphrase_and_so_do_four_and_five(split: SplitPassphrase) -> None:
    for count in (3, 4, 5):
        for some in itertools.combinations(split.shares[::-1], count):
            assert join_shares([read_share(text(one)) for one in some]) == split.passphrase


def test_fewer_than_needed_are_refused_and_say_how_many(split: SplitPassphrase) -> None:
    for some in itertools.chain([()], itertools.combinations(split.shares, 1), itertools.combinations(split.shares, 2)):
        with pytest.raises(TooFewShares) as caught:
            join_shares(some)
        assert caught.value.found == len(some)
    assert caught.value.needed == 3


def test_two_splits_have_nothing_in_common() -> None:
    one, other = split_new_passphrase(2, 3), split_new_passphrase(2, 3)
    assert one.passphrase != other.passphrase
    assert len(bytes.fromhex(one.passphrase.decode())) == 16
    assert len({share.words for share in (*one.shares, *other.shares)}) == 6


def test_a_share_of_another_set_is_told_apart_by_name(split: SplitPassphrase) -> None:
    other = split_new_passphrase(3, 5)
    with pytest.raises(ShareOfAnotherSet, match=f"set {other.shares[0].set_name}.*set {split.shares[0].set_name}"):
        add_share(split.shares[:1], other.shares[1])


def test_one_share_counts_once(split: SplitPassphrase) -> None:
    with pytest.raises(ShareTwice, match="share 2 "):
        join_shares([split.shares[0], split.shares[1], split.shares[1]])


def test_other_slip_39_programs_join_our_shares_and_we_read_theirs(split: SplitPassphrase) -> None:
    assert combine_mnemonics(map(text, split.shares[1:4])).hex().encode() == split.passphrase
    (theirs,) = generate_mnemonics(1, [(2, 3)], bytes(range(16)), iteration_exponent=2)
    assert join_shares([read_share(one) for one in theirs[1:]]) == bytes(range(16)).hex().encode()


def test_the_vector_of_the_specification_is_read() -> None:
    shares = [read_share(one) for one in VECTOR]
    assert {one.threshold for one in shares} == {2}
    assert combine_mnemonics([text(one) for one in shares], b"TREZOR").hex() == VECTOR_SECRET


def test_words_may_be_written_short_or_as_numbers(split: SplitPassphrase) -> None:
    share = split.shares[0]
    assert read_share(" ".join(word[:4].upper() for word in share.words)) == share
    assert read_share("\n".join(f"{place:04d}" for place in share.places)) == share
    assert len({word[:4] for word in WORDLIST}) == 1024


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_up_to_three_wrong_words_are_always_noticed(split: SplitPassphrase, data: st.DataObject) -> None:
    words = list(split.shares[0].words)
    for place in data.draw(st.sets(st.integers(0, 19), min_size=1, max_size=3)):
        words[place] = data.draw(st.sampled_from([word for word in WORDLIST if word != words[place]]))
    with pytest.raises(BadShare):
        read_share(" ".join(words))


@given(st.permutations(range(20)))
@settings(max_examples=100, deadline=None)
def test_words_out_of_order_are_noticed(split: SplitPassphrase, order: list[int]) -> None:
    words = split.shares[1].words
    mixed = [words[place] for place in order]
    if mixed == list(words):
        assert read_share(" ".join(mixed)) == split.shares[1]
    else:
        with pytest.raises(BadShare):
            read_share(" ".join(mixed))


@pytest.mark.parametrize("damage", ["", "short", "long", "foreign", "chinese"])
def test_what_is_no_share_is_refused_without_repeating_it(damage: str) -> None:
    words = VECTOR[0].split()
    changed = {
        "": [],
        "short": words[:-1],
        "long": [*words, words[0]],
        "foreign": ["correct-horse", *words[1:]],
        "chinese": ["印", *words[1:]],
    }[damage]
    with pytest.raises(BadShare) as caught:
        read_share(" ".join(changed))
    told = f"{caught.value.en} {caught.value.zh}"
    assert not [word for word in (*words, "correct-horse") if word in told]


def test_shares_of_several_groups_are_not_ours() -> None:
    groups = generate_mnemonics(2, [(2, 2), (2, 3)], bytes(16), iteration_exponent=0)
    with pytest.raises(BadShare, match="not made by this program"):
        read_share(groups[0][0])


def test_shares_that_were_made_up_to_fit_do_not_open_anything(split: SplitPassphrase) -> None:
    """Somebody may make a well-formed share with the set's name and number; the digest inside notices."""
    real = Raw.from_mnemonic(text(split.shares[2]))
    forged = Raw(**{**vars(real), "value": bytes(16)}).mnemonic()
    with pytest.raises(SharesDisagree, match="1, 2, 3"):
        join_shares([*split.shares[:2], read_share(forged)])
    with pytest.raises(SharesDisagree, match="1, 2, 3"):
        join_shares([*split.shares[:2], split.shares[3], read_share(forged)])


@pytest.mark.parametrize(("threshold", "of"), [(0, 3), (1, 1), (1, 3), (4, 3), (2, 17), (-1, 2), (2, 1)])
def test_a_split_that_protects_nothing_is_refused(threshold: int, of: int) -> None:
    with pytest.raises(BadSplit):
        split_new_passphrase(threshold, of)


@pytest.mark.parametrize(("threshold", "of"), [(2, 2), (16, 16), (2, 16)])
def test_the_smallest_and_largest_splits_work(threshold: int, of: int) -> None:
    made = split_new_passphrase(threshold, of)
    assert [share.number for share in made.shares] == list(range(1, of + 1))
    assert join_shares(made.shares[-threshold:]) == made.passphrase


def test_no_printed_form_shows_a_word_or_the_passphrase(split: SplitPassphrase) -> None:
    shown = f"{split!r} {split.shares!r} {split!s}"
    assert split.passphrase.decode() not in shown
    assert "words" not in shown
