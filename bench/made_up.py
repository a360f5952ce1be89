"""Made-up people for measuring: checked rows as intake would give them, each with a photo of its own."""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from zipfile import ZipFile

from credential.identity import BadIdNumber, check_id_number
from credential.model import DocumentType, Holder, Record
from templates import sample_folder

TODAY = date(2026, 11, 22)

_FIRST_BIRTH = date(1950, 1, 1)
_BIRTHS_A_DAY = 500
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹"
    "彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文建国志红梅海燕春生金凤永福云飞雪莲晓东亚楠思雨佳怡浩然子轩梓涵"
    "欣妍俊宇博诗琪嘉懿泽瑞雅婷晨曦睿哲铭瀚翰墨书瑶珊蕾薇萱璐瑾琳琅韵清远航鹏翔龙腾虎威震南北辰星月光辉煌灿烂锦绣前程万里"
    "宁静致淑慧贤良温恭俭让仁义礼智信忠孝和睦康健寿喜庆丰登祥凯旋胜利捷元亨贞吉宏图大展业成功立德树才学思源恒毅坚韧"
)
_MINORITY = ("阿依努尔", "买买提江", "古丽巴哈尔", "吐尔逊", "艾尔肯", "热依汗", "次仁", "卓玛", "扎西", "巴特尔")
_RARE = ("䶮", "㛃", "㬎", "喆", "昇", "頔", "玥", "堃", "燚", "犇")
_PLACES = ("宁波", "海曙", "江北", "镇海", "北仑", "鄞州", "奉化", "余姚", "慈溪", "宁海", "象山")
_EMPLOYERS = (
    "建筑设计研究院有限公司",
    "第一医院",
    "水利勘测规划院",
    "实验中学",
    "轨道交通集团有限公司",
    "农业技术推广总站",
)
_TITLES = (  # series, title, level, specialty
    ("工程技术人员", "高级工程师", "副高级", ("土木工程", "电气工程", "水利工程", "环境工程", "机械设计")),
    ("工程技术人员", "正高级工程师", "正高级", ("建筑设计", "轨道交通", "信息通信")),
    ("农业技术人员", "高级农艺师", "副高级", ("作物栽培", "植物保护")),
    ("卫生技术人员", "主任医师", "正高级", ("心血管内科", "普通外科", "儿科")),
    ("卫生技术人员", "副主任护师", "副高级", ("护理学",)),
    ("中小学教师", "高级教师", "副高级", ("初中数学", "高中语文", "小学英语")),
)


def people(first: int, count: int) -> Iterator[Record]:
    """Make rows of the review shape; the same number gives the same person, another number another one."""
    portraits = bundled_portraits()
    for at, number in enumerate(range(first, first + count)):
        yield _person(number, at + 2, other_photo(portraits[number % len(portraits)], number // len(portraits)))


@lru_cache
def bundled_portraits() -> tuple[bytes, ...]:
    """The drawn portraits that come with the sample sheet."""
    with ZipFile(sample_folder() / "exchange-200-photos.zip") as archive:
        return tuple(archive.read(name) for name in sorted(archive.namelist()))


def other_photo(portrait: bytes, variation: int) -> bytes:
    """Make a JPEG of the same length that is another one: a few quantiser steps of high frequencies differ.

    Args:
        portrait: with an 8-bit quantisation table, as all bundled ones.
        variation: below 3^12; 0 gives the portrait itself.
    """
    start = portrait.index(b"\xff\xdb\x00\x43\x00") + 5  # marker, length, table number (ISO/IEC 10918-1, B.2.4.1)
    photo = bytearray(portrait)
    for place in range(start + 63, start + 51, -1):
        variation, step = divmod(variation, 3)
        photo[place] += step if photo[place] < 254 else -step
    return bytes(photo)


def _person(number: int, row: int, photo: bytes) -> Record:
    lots = hashlib.sha256(b"person %d" % number).digest()
    series, title, level, specialties = _TITLES[lots[0] % len(_TITLES)]
    place = _PLACES[lots[1] % len(_PLACES)]
    id_number = _id_number(number)
    fields = {
        "series": series,
        "title": title,
        "level": level,
        "specialty": specialties[lots[2] % len(specialties)],
        "committee": f"{place}市{series[:2]}系列高级职称评审委员会",
        "approval_document": f"甬人社发〔2026〕{lots[3] % 40 + 1}号",
        "qualified_on": f"2026-{lots[4] % 10 + 1:02}-{lots[5] % 28 + 1:02}",
        "obtain_mode": ("评审", "评审", "评审", "考评结合", "初定")[lots[6] % 5],
        "employer": f"{place}{_EMPLOYERS[lots[7] % len(_EMPLOYERS)]}",
    }
    sex = "男" if int(id_number[16]) % 2 else "女"
    return Record(row, Holder(_name(lots), DocumentType.RESIDENT_ID, id_number, sex), fields, photo, "review")


def _name(lots: bytes) -> str:
    """Two or three characters; one in twenty a name with a dot, one in a hundred with a rare character."""
    if lots[8] < 13:
        return f"{_MINORITY[lots[9] % len(_MINORITY)]}·{_MINORITY[lots[10] % len(_MINORITY)]}"
    given = _GIVEN[lots[11] % len(_GIVEN)] + (_GIVEN[lots[12] % len(_GIVEN)] if lots[13] < 200 else "")
    if lots[8] < 16:
        given = _RARE[lots[14] % len(_RARE)]
    return _SURNAMES[lots[15] % len(_SURNAMES)] + given


def _id_number(number: int) -> str:
    """A number of a county that does not exist, with the check character that our own check accepts."""
    days, order = divmod(number, _BIRTHS_A_DAY)
    stem = f"330299{_FIRST_BIRTH + timedelta(days=days):%Y%m%d}{order:03}"
    for check in "0123456789X":
        try:
            return check_id_number(stem + check, today=TODAY).number
        except BadIdNumber:
            continue
    raise ValueError(number)
