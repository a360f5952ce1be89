"""One custodian's sheet: a page of plain text to print and seal, and to read a share back from."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from keys.private_files import UnreadablePrivateFile, read_private
from keys.shares import BadShare, Share, read_share

_LINE = re.compile(r"\s*([0-9]{1,2})\s+([a-z]+)\s+([0-9]{4})\s*")
_RULE = "-" * 72


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What stands on every sheet of one split.

    Attributes:
        key_id: of the key whose passphrase was split, hexadecimal.
        algorithm: of the key.
        of: how many shares there are.
        day: Beijing time.
    """

    key_id: str
    algorithm: str
    of: int
    day: date


def sheet_name(ceremony: Ceremony, share: Share) -> str:
    """The name of a sheet's file; it tells which share, and nothing of it."""
    return f"share-{ceremony.key_id}-{share.set_name}-{share.number}-of-{ceremony.of}.txt"


def write_sheet(ceremony: Ceremony, share: Share) -> str:
    """Write one sheet; its 20 words stand one on a line, each with the number of its place in the word list."""
    words = [
        f"    {number:2}   {word:<10}   {place:04d}"
        for number, (word, place) in enumerate(zip(share.words, share.places, strict=True), 1)
    ]
    return "\n".join(
        [
            "印证  根密钥口令份额            Yinzheng  share of a root key's passphrase",
            _RULE,
            f"密钥 key                {ceremony.key_id}  ({ceremony.algorithm})",
            f"套号 set                {share.set_name}",
            f"份额 share              {share.number} / {ceremony.of}",
            f"所需份数 needed          {share.threshold}",
            f"日期 date               {ceremony.day.isoformat()}",
            "保管人 custodian         ______________________________",
            "签字 signature          ______________________________",
            "封签号 seal             ______________________________",
            _RULE,
            *words,
            _RULE,
            "每行为: 序号, 单词, 该词在词表中的编号。抄写时单词与编号择一即可。",
            "任何人单凭本页得不到口令; 凑齐所需份数即可使用根密钥。",
            "装入信封密封, 异地存放; 不得拍照、复印、录入手机或网页。",
            "遗失、启封或疑似泄露, 立即报告, 由其余保管人重新拆分。",
            "",
            "A line is: its number, the word, the word's place in the list; either of the two will do.",
            "This page alone gives nothing; as many as are needed give the use of the root key.",
            "Seal it, keep it in another place than the others; no photo, no copy, no phone, no web page.",
            "If it is lost, opened or may have been seen, report it at once: the others split anew.",
            "",
        ]
    )


def read_sheet(path: Path) -> Share:
    """Read the share of a sheet's file; only its owner may read it.

    Raises:
        BadShare: a line is missing, or word and number of one differ.
        UnreadablePrivateFile: there is no such text file.
        OpenToOthers: others may read it.
    """
    try:
        lines = [_LINE.fullmatch(line) for line in read_private(path).decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise UnreadablePrivateFile(path, "no text") from error
    found = [line for line in lines if line is not None]
    if [int(line[1]) for line in found] != list(range(1, len(found) + 1)):
        raise BadShare("its lines are not numbered one after the other", "各行序号不连续")
    share = read_share(" ".join(line[2] for line in found))
    if read_share(" ".join(line[3] for line in found)) != share:
        raise BadShare("a word and its number differ", "有单词与其编号不一致")
    return share
