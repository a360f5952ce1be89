"""Writes `settings.md` from the settings themselves; run by `make docs`."""

from pathlib import Path

from pydantic_core import PydanticUndefined

from service.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parent / "settings.md"
HEAD = """# Settings 设置项

Every setting is an environment variable; `--data`, `--passphrase-file` and what a command names win over it. They are
read once, at start. A misspelt name is refused. Secrets are given by file (mode 600), never as a value.

每一项都是环境变量,启动时读取一次;写错名称会被拒绝;口令等机密只能以文件(权限 600)给出。

| variable | default | what it says |
|---|---|---|
"""
TAIL = """
`YINZHENG_PASSPHRASE` is read where no passphrase file is named, for containers that have no secret files.
"""


def page() -> str:
    """The whole page, from the names, defaults and descriptions of the settings."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in {None, "", PydanticUndefined} else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return HEAD + "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
