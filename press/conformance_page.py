"""Rules about what the pages draw, and in which colours (ISO 19005-3, 6.2.2 to 6.2.10)."""

from collections.abc import Iterator
from typing import Any

import pikepdf

from press.conformance_content import CATEGORIES
from press.conformance_rule import Examined, Rule

# ISO 32000-1, annex A.
_OPERATORS = frozenset(
    {"b", "B", "b*", "B*", "BDC", "BMC", "BT", "BX", "c", "cm", "CS", "cs", "d", "d0", "d1", "Do", "DP", "EMC", "ET"}
    | {"EX", "f", "F", "f*", "G", "g", "gs", "h", "i", "j", "J", "K", "k", "l", "M", "m", "MP", "n", "q", "Q", "re"}
    | {"RG", "rg", "ri", "s", "S", "SC", "sc", "SCN", "scn", "sh", "T*", "Tc", "Td", "TD", "Tf", "Tj", "TJ", "TL"}
    | {"Tm", "Tr", "Ts", "Tw", "Tz", "v", "w", "W", "W*", "y", "'", '"'}
)
_INTENTS = frozenset({"/RelativeColorimetric", "/AbsoluteColorimetric", "/Perceptual", "/Saturation"})
_BLEND_MODES = frozenset(
    {"/Normal", "/Compatible", "/Multiply", "/Screen", "/Overlay", "/Darken", "/Lighten", "/ColorDodge", "/ColorBurn"}
    | {"/HardLight", "/SoftLight", "/Difference", "/Exclusion", "/Hue", "/Saturation", "/Color", "/Luminosity"}
)
_DEVICE = frozenset({"/DeviceRGB", "/DeviceGray", "/Pattern", "/RGB", "/G"})
_PROFILE_CLASSES = frozenset({b"prtr", b"mntr", b"scnr", b"spac"})


def is_profile(profile: bytes, spaces: frozenset[bytes], classes: frozenset[bytes] = _PROFILE_CLASSES) -> bool:
    """Whether bytes are headed as an ICC profile of one of these spaces and classes, before version 5 (ICC.1, 7.2)."""
    return (
        len(profile) >= 128
        and int.from_bytes(profile[:4]) == len(profile)
        and profile[36:40] == b"acsp"
        and profile[8] < 5
        and profile[12:16] in classes
        and profile[16:20] in spaces
    )


def _operators(file: Examined) -> Iterator[str]:
    for place, _, content in file.contents:
        yield from (f"{place}: {operator}" for operator in sorted(content.operators - _OPERATORS - {"BI"}))


def _inline_pictures(file: Examined) -> Iterator[str]:
    yield from (place for place, _, content in file.contents if "BI" in content.operators)


def _resources(file: Examined) -> Iterator[str]:
    for place, resources, content in file.contents:
        for operator, name in sorted(content.named):
            category = CATEGORIES.get(operator)
            if category is None or (category == "/ColorSpace" and name in _DEVICE):
                continue
            if resources is None or name not in resources.get(category, {}):
                yield f"{place}: {operator} {name}"


def _device_colours(file: Examined) -> Iterator[str]:
    for place, _, content in file.contents:
        yield from (f"{place}: {operator}" for operator in sorted(content.operators & {"k", "K"}))
        yield from (f"{place}: {name}" for operator, name in content.named if name == "/DeviceCMYK")
    for place, one in file.having("/CS", "/ColorSpace"):
        named = one.get("/ColorSpace")
        spaces = [one.get("/CS"), *(named.values() if isinstance(named, pikepdf.Dictionary) else [named])]
        for space in spaces:
            if isinstance(space, pikepdf.Name | pikepdf.Array) and not _is_rgb_or_grey(space):
                yield place


def _is_rgb_or_grey(space: Any) -> bool:
    if isinstance(space, pikepdf.Name):
        return str(space) in _DEVICE
    kind = str(space[0])
    if kind == "/ICCBased":
        return int(space[1].get("/N", 0)) in {1, 3}
    if kind in {"/Indexed", "/I", "/Pattern"}:
        return len(space) < 2 or _is_rgb_or_grey(space[1])
    return kind in {"/CalRGB", "/CalGray"}


def _profiles(file: Examined) -> Iterator[str]:
    for place, value in file.arrays:
        if len(value) == 2 and value[0] == "/ICCBased":
            spaces = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}
            wanted = spaces.get(int(value[1].get("/N", 0)), b"")
            if not is_profile(value[1].read_bytes(), frozenset({wanted})):
                yield place


def _states(file: Examined) -> Iterator[str]:
    for place, state in _graphics_states(file):
        yield from (f"{place} {key}" for key in ("/TR", "/HT", "/HTP") if key in state)
        if state.get("/TR2", pikepdf.Name.Default) != "/Default":
            yield f"{place} /TR2"


def _graphics_states(file: Examined) -> Iterator[tuple[str, Any]]:
    yield from file.of_type("/ExtGState")
    for place, one in file.having("/ExtGState"):
        yield from ((f"{place} {name}", state) for name, state in one.ExtGState.items() if "/Type" not in state)


def _intents(file: Examined) -> Iterator[str]:
    for place, _, content in file.contents:
        yield from (f"{place}: {name}" for step, name in content.named if step == "ri" and name not in _INTENTS)
    for key in ("/Intent", "/RI"):
        for place, one in file.having(key):
            if isinstance(one[key], pikepdf.Name) and str(one[key]) not in _INTENTS:
                yield f"{place} {key}"


def _blending(file: Examined) -> Iterator[str]:
    for place, state in _graphics_states(file):
        mode = state.get("/BM", pikepdf.Name.Normal)
        for name in list(mode) if isinstance(mode, pikepdf.Array) else [mode]:
            if str(name) not in _BLEND_MODES:
                yield f"{place} {name}"


def _pictures(file: Examined) -> Iterator[str]:
    for place, image in file.of_subtype("/Image"):
        yield from (f"{place} {key}" for key in ("/Alternates", "/OPI") if key in image)
        if image.get("/Interpolate") is True:
            yield f"{place} /Interpolate"
        if image.get("/ImageMask") is not True and int(image.get("/BitsPerComponent", 8)) not in {1, 2, 4, 8, 16}:
            yield f"{place} /BitsPerComponent"


def _forms(file: Examined) -> Iterator[str]:
    for place, form in file.of_subtype("/Form", "/PS"):
        yield from (f"{place} {key}" for key in ("/OPI", "/PS", "/Ref") if key in form)
        if form.get("/Subtype") == "/PS" or form.get("/Subtype2") == "/PS":
            yield f"{place} /PS"


RULES = (
    Rule(
        "operators",
        ("ISO 19005-3, 6.2.2",),
        "the content holds an unknown operator",
        "内容流含有未定义的操作符",
        _operators,
    ),
    Rule(
        "inline-pictures",
        ("ISO 19005-3, 6.1.10",),
        "the content holds a picture in line, which this check knows no rules for",
        "内容流含有内嵌图像, 本检查没有相应的规则",
        _inline_pictures,
    ),
    Rule(
        "resources",
        ("ISO 19005-3, 6.2.2", "ISO 32000-1, 7.8.3"),
        "the content names what its own resources do not hold",
        "内容流引用了自身资源中没有的对象",
        _resources,
    ),
    Rule(
        "device-colours",
        ("ISO 19005-3, 6.2.4.3",),
        "a colour is neither RGB nor grey, which is all that the output intent describes",
        "颜色既非 RGB 也非灰度, 输出意图未予描述",
        _device_colours,
    ),
    Rule(
        "profiles",
        ("ISO 19005-3, 6.2.4.2",),
        "a colour profile is not what its colour space says",
        "ICC 配置文件与色彩空间不符",
        _profiles,
    ),
    Rule(
        "graphics-states",
        ("ISO 19005-3, 6.2.5",),
        "a graphics state holds a transfer function or a halftone",
        "图形状态含有传递函数或半色调",
        _states,
    ),
    Rule(
        "intents",
        ("ISO 19005-3, 6.2.6",),
        "a rendering intent is none of the four",
        "渲染意图不在规定的四种之内",
        _intents,
    ),
    Rule(
        "pictures",
        ("ISO 19005-3, 6.2.8", "ISO 32000-1, 8.9.5"),
        "a picture has alternates, a proxy, interpolation or an impossible depth",
        "图像含有替代图、代理或插值, 或位深有误",
        _pictures,
    ),
    Rule(
        "forms",
        ("ISO 19005-3, 6.2.9", "ISO 14289-1, 7.20"),
        "a form holds PostScript, a proxy or a reference to another file",
        "表单 XObject 含有 PostScript、代理或对其他文件的引用",
        _forms,
    ),
    Rule(
        "blending",
        ("ISO 19005-3, 6.2.10",),
        "a blend mode is not one of ISO 32000-1",
        "混合模式不在 ISO 32000-1 之内",
        _blending,
    ),
)
