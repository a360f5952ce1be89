"""Names of persons: what may stand in one, how one is folded, matched and masked.

A name is kept as the identity document gives it (DOMAIN 4.1): the separator
becomes U+00B7 and spaces in Chinese names go, both with a note; no Unicode
normalisation ever touches a stored name, since NFC changes some ideographs.
"""

import re
import unicodedata
from dataclasses import dataclass

from credential.errors import InputError

MAX_NAME_LENGTH = 50  # characters; the notice of 12 departments (2016) asks for at least as many
SEPARATOR = "\u00b7"

_DOTS = "\u2022\u2027\u2219\u22c5\u30fb\uff65"
_FULL_STOPS = ".\uff0e"
_DOT_FOLDING = dict.fromkeys(map(ord, _DOTS), SEPARATOR)
_HAN_RANGES = (  # assigned ideographs of Unicode 15.1; Python's own tables are older
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x3005, 0x3005),  # 々
    (0x3007, 0x3007),  # 〇
    (0xF900, 0xFA6D),
    (0xFA70, 0xFAD9),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B739),
    (0x2B740, 0x2B81D),
    (0x2B820, 0x2CEA1),
    (0x2CEB0, 0x2EBE0),
    (0x2EBF0, 0x2EE5D),
    (0x2F800, 0x2FA1D),
    (0x30000, 0x3134A),
    (0x31350, 0x323AF),
)
_HAN = "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _HAN_RANGES) + "]"
_IS_HAN = re.compile(_HAN)
# Nothing in these two blocks changes under normalisation; nearly every name is of them.
_PLAIN_NAME = re.compile(f"[\u3400-\u4dbf\u4e00-\u9fff]{{1,{MAX_NAME_LENGTH}}}")
_CHINESE_NAME = re.compile(f"{_HAN}+(?:{SEPARATOR}{_HAN}+)*")
_STOP_IN_HAN = re.compile(f"(?<={_HAN})[{_FULL_STOPS}](?={_HAN})")
_LATIN_MARKS = " '\u2019-.,\u00b7"  # stand between the letters of a foreign name
_COMPOUND_SURNAMES = frozenset(
    re.findall(
        "..",
        "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容仲孙钟离长孙宇文"
        "司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐段干百里呼延东郭南门羊舌微生左丘"
        "西门第五南荣东里褚师即墨达奚完颜耶律纳兰歐陽司馬東方南宮諸葛尉遲赫連濮陽公孫長孫鮮于軒轅東郭西門",
    )
)


class BadName(InputError):
    """A person's name that cannot stand on a certificate; each fault has its own code."""

    code = "bad-name"


class NameMissing(BadName):
    """There is none."""

    code = "name-missing"

    def __init__(self) -> None:
        super().__init__("the name is missing; fill it in", "缺少姓名; 请填写")


class NameTooLong(BadName):
    """It has more characters than a name field holds."""

    code = "name-too-long"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"the name has {length} characters, more than {MAX_NAME_LENGTH}; is it one person's?",
            f"姓名为{length}个字符, 超过{MAX_NAME_LENGTH}个; 请确认是否为一人姓名",
        )
        self.length = length


class NameLostCharacter(BadName):
    """A rare character was replaced on its way to us; it must not be guessed."""

    code = "name-lost-character"

    def __init__(self, char: str, position: int) -> None:
        super().__init__(
            f"character {position} of the name is {_describe(char)}: a rare character was lost; "
            "type it in an .xlsx file or UTF-8",
            f"姓名第{position}个字符为{_describe(char)}: 生僻字已丢失; 请用 xlsx 或 UTF-8 文件重新录入",
        )
        self.position = position


class NameCharacter(BadName):
    """It holds a character that no name has: control, digit, symbol, another script."""

    code = "name-character"

    def __init__(self, char: str, position: int) -> None:
        super().__init__(
            f"character {position} of the name is {_describe(char)}, which no name has; compare it with the ID card",
            f"姓名第{position}个字符为{_describe(char)}, 不应出现在姓名中; 请与证件核对",
        )
        self.position = position


class NameMixesLatin(BadName):
    """Latin letters stand in for a rare Chinese character."""

    code = "name-mixes-latin"

    def __init__(self, char: str, position: int) -> None:
        super().__init__(
            f"character {position} of the name is {_describe(char)} beside Chinese characters: "
            "does it stand in for a rare one? type the character itself",
            f"姓名第{position}个字符为{_describe(char)}, 与汉字混用: 疑以字母代替生僻字; 请录入汉字本身",
        )
        self.position = position


@dataclass(frozen=True, slots=True)
class FoldedName:
    """A name that may be stored, and what was done to it.

    Attributes:
        name: see the module.
        notes: codes: ``name-separator`` (a dot became U+00B7), ``name-space``
            (spaces were removed), ``name-compatibility-ideograph`` (kept as
            typed; normalisation would have changed it).
    """

    name: str
    notes: tuple[str, ...]


def fold_separator(text: str) -> str:
    """Turn the dots that look like a name's separator into U+00B7.

    Full stops count only between two Chinese characters.
    """
    return _STOP_IN_HAN.sub(SEPARATOR, text.translate(_DOT_FOLDING))


def check_name(text: str) -> FoldedName:
    """Fold a name and refuse what is none.

    A name is Chinese characters, with single U+00B7 between them, or all Latin
    letters (a foreigner's) with spaces, hyphens, apostrophes and full stops.

    Raises:
        NameMissing: nothing but white space.
        NameLostCharacter: ``?``, ``？``, U+FFFD or a private-use character.
        NameCharacter: control, format, digit, symbol, unassigned, another
            script, or a separator that separates nothing.
        NameMixesLatin: Latin letters beside Chinese characters.
        NameTooLong: more than 50 characters.
    """
    if _PLAIN_NAME.fullmatch(text):
        return FoldedName(text, ())
    stripped = text.strip()
    if not stripped:
        raise NameMissing
    is_chinese = _IS_HAN.search(stripped) is not None
    if not is_chinese and stripped.strip(_LATIN_MARKS) == "":
        raise NameCharacter(stripped[0], 1)
    for position, char in enumerate(stripped, 1):
        _check_character(char, position, is_chinese=is_chinese)
    spaceless = stripped.replace(" ", "").replace("\u3000", "").replace("\u00a0", "") if is_chinese else stripped
    name = fold_separator(spaceless)
    if is_chinese and _CHINESE_NAME.fullmatch(name) is None:
        position = next(at for at, char in enumerate(name) if _is_stray(name, at, char))
        raise NameCharacter(name[position], position + 1)
    if len(name) > MAX_NAME_LENGTH:
        raise NameTooLong(len(name))
    notes = {
        "name-separator": name != spaceless,
        "name-space": spaceless != text,
        "name-compatibility-ideograph": any(_is_compatibility(char) for char in name),
    }
    return FoldedName(name, tuple(note for note, applies in notes.items() if applies))


def fold_name_for_matching(name: str) -> str:
    """Make a key under which spellings of one name are equal; never shown or stored as a name.

    Compatibility forms, case, separators and spaces do not count.
    """
    folded = unicodedata.normalize("NFKC", fold_separator(name)).casefold()
    return "".join(char for char in folded if char.isalpha() or _IS_HAN.match(char))


def mask_name(name: str) -> str:
    """Show the first character, or a compound surname, and ``**`` for the rest.

    The stars are always two, so that the length stays hidden too; a separator
    stays: ``阿**·**``.
    """
    first, *rest = re.split(f"([ {SEPARATOR}])", name)
    shown = 2 if not rest and len(first) > 2 and first[:2] in _COMPOUND_SURNAMES else 1
    return first[:shown] + "**" + "".join(part if part in (" ", SEPARATOR) else "**" for part in rest)


def _check_character(char: str, position: int, *, is_chinese: bool) -> None:
    if _IS_HAN.match(char):
        return
    category = unicodedata.category(char)
    if char in "?？\ufffd" or category == "Co":
        raise NameLostCharacter(char, position)
    is_latin = category.startswith("L") and unicodedata.name(char, "").startswith(("LATIN ", "FULLWIDTH LATIN "))
    if is_latin and is_chinese:
        raise NameMixesLatin(char, position)
    marks = _DOTS + _FULL_STOPS + SEPARATOR + " \u3000\u00a0" if is_chinese else _LATIN_MARKS
    if char in marks or (is_latin and char < "\uff00"):
        return
    raise NameCharacter(char, position)


def _is_stray(name: str, at: int, char: str) -> bool:
    """Whether a dot has not a Chinese character on each side."""
    around = name[at - 1 : at] if at else "", name[at + 1 : at + 2]
    return _IS_HAN.match(char) is None and not all(_IS_HAN.match(one) for one in around)


def _is_compatibility(char: str) -> bool:
    return unicodedata.normalize("NFC", char) != char and _IS_HAN.match(char) is not None


def _describe(char: str) -> str:
    code = f"U+{ord(char):04X}"
    return f"{char!r} ({code})" if char.isprintable() and unicodedata.category(char) != "Co" else code
