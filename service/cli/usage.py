"""Bad usage in the reader's language: what the library says in English only, said again with the names we gave."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from typer.exceptions import TyperException

from credential.model import REASON_NAMES
from credential.reasons import CHANGE_NAMES
from service.cli.language import say

_REASONS = {code.value: names for code, names in REASON_NAMES.items()} | {
    str(code): names for code, names in CHANGE_NAMES.items()
}
_QUOTED = re.compile(r"'([^']*)'")
_CODE = re.compile(r"[a-z0-9-]+")


def usage_sentence(error: TyperException) -> str:
    """Say what is wrong with a command line; a command without arguments just shows its help."""
    message = error.format_message().strip()
    if "\n" in message and type(error).__name__ == "NoArgsIsHelpError":
        return f"{message}\n"
    zh, en = _told(error, " ".join(message.split()).rstrip("."))
    return say(
        f"命令写法有误: {zh}; 在命令后加 --help 可查看用法\n",
        f"bad usage: {en}; put --help behind the command to see how it is used\n",
    )


def named_choices(codes: Iterable[str]) -> tuple[str, str]:
    """Codes for a list of choices, in Chinese and in English; a reason with its words."""
    listed = list(codes)
    shown = [f"{code}({_REASONS[code][0]})" if code in _REASONS else code for code in listed]
    return "、".join(shown), ", ".join(listed)


def _told(error: TyperException, message: str) -> tuple[str, str]:  # noqa: PLR0911 - one for each kind of mistake
    """The sentence in Chinese and in English."""
    kind = type(error).__name__
    context: Any = getattr(error, "ctx", None)
    parameter: Any = getattr(error, "param", None)
    hint = "" if parameter is None else str(parameter.get_error_hint()).strip("'")
    if kind == "MissingParameter":
        zh, _ = named_choices(_CODE.findall(message.partition("Choose from")[2]))
        what = "选项" if hint.startswith("-") else "参数"
        return f"缺少{what} {hint}" + (f", 可选: {zh}" if zh else ""), message
    if kind == "NoSuchOption":
        known = [name for one in context.command.params for name in one.opts] if context is not None else []
        name = str(getattr(error, "option_name", ""))
        return _unknown("没有选项", "there is no option", name, known)
    if message.startswith("No such command") and context is not None:
        return _unknown(
            "没有命令", "there is no command", message.partition("'")[2].partition("'")[0], context.command.commands
        )
    if message.startswith("Got unexpected extra argument"):
        return f"多出的参数 {message.rpartition('(')[2].rstrip(')')}", message
    if "requires an argument" in message:
        return f"选项 {getattr(error, 'option_name', '')} 后缺少取值", message
    if "does not take a value" in message:
        return f"选项 {getattr(error, 'option_name', '')} 不带取值", message
    if parameter is not None:
        return f"{hint} 的取值无效, {_expected(parameter, message)}", message.replace("Value error, ", "")
    return message, message


def _expected(parameter: Any, message: str) -> str:
    choices = message.partition("is not one of")[2]
    if choices:
        return f"可选: {named_choices(_QUOTED.findall(choices))[0]}"
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    limits = [*([f"不小于 {least}"] if least is not None else []), *([f"不大于 {most}"] if most is not None else [])]
    if "integer" in message or limits:
        return ", ".join(["须为整数", *limits])
    return message.partition(": ")[2] or message


def _unknown(zh: str, en: str, name: str, known: Iterable[str]) -> tuple[str, str]:
    nearest = get_close_matches(name, list(known), 1)
    also_zh, also_en = (f", 是否应为 {nearest[0]}?", f"; did you mean {nearest[0]}?") if nearest else ("", "")
    return f"{zh} {name}{also_zh}", f"{en} {name}{also_en}"
