"""What can go wrong with a token, in words for the person who stands before it."""

from pathlib import Path

from credential.errors import ConfigError, RefusedError, UnavailableError


class TokenUnavailable(UnavailableError):
    """A token was removed, does not answer, or lost its session."""

    code = "token-unavailable"

    def __init__(self, token: str, reason: str) -> None:
        super().__init__(
            f"the token {token!r} does not answer ({reason}); put it back or start its service, then go on: "
            "what is signed stays signed",
            f"密码设备“{token}”没有响应({reason}); 请插回设备或恢复其服务, 然后继续; 已签名的不受影响",
        )
        self.token = token
        self.reason = reason


class SessionOfAnotherProcess(UnavailableError):
    """A process was forked with an open token; a session never works in two."""

    code = "token-forked"

    def __init__(self, token: str) -> None:
        super().__init__(
            f"the session with the token {token!r} belongs to the process that this one was forked from; "
            "start workers anew (spawn) instead",
            f"密码设备“{token}”的会话属于父进程, 不能在分叉出的进程中使用; 请以新进程方式启动工作进程",
        )
        self.token = token


class BadModule(ConfigError):
    """The token's driver cannot be loaded."""

    code = "bad-token-module"

    def __init__(self, module: Path, reason: str) -> None:
        super().__init__(
            f"{module} is not a usable PKCS #11 module ({reason}); set YINZHENG_PKCS11_MODULE to the library that came "
            "with the token",
            f"{module} 不是可用的 PKCS #11 模块({reason}); 请将 YINZHENG_PKCS11_MODULE 设为设备厂商提供的动态库",
        )
        self.module = module


class TokenNotSet(ConfigError):
    """A key is asked of a token, and the settings do not say how to reach tokens."""

    code = "token-not-set"

    def __init__(self, setting: str) -> None:
        super().__init__(
            f"keys in tokens need {setting}, which is not set; see docs/keys.md",
            f"使用密码设备中的密钥须设置 {setting}; 请见 docs/keys.md",
        )
        self.setting = setting


class WrongPin(ConfigError):
    """The token refused the PIN; it is not tried again, since tokens lock after a few tries."""

    code = "wrong-token-pin"

    def __init__(self, token: str, reason: str) -> None:
        super().__init__(
            f"the token {token!r} refused the PIN ({reason}); correct the PIN file, for tokens lock after a few tries: "
            "this PIN is not tried again by this process",
            f"密码设备“{token}”拒绝了 PIN({reason}); 请更正 PIN 文件; 多次错误会锁定设备, 本进程不会再用此 PIN 重试",
        )
        self.token = token


class UnusableTokenKey(ConfigError):
    """The object that a reference names is not there, not the only one, or not fit to sign with."""

    code = "unusable-token-key"

    def __init__(self, reference: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the key {reference} cannot be used: {why_en}", f"密码设备中的密钥 {reference} 不可用: {why_zh}"
        )
        self.reference = reference


class TokenKeyExists(RefusedError):
    """A token has an object of this name already; none is made beside it."""

    code = "token-key-exists"

    def __init__(self, token: str, name: str) -> None:
        super().__init__(
            f"the token {token!r} has an object {name!r} already; take it in with --existing, or remove it",
            f"密码设备“{token}”中已有名为“{name}”的对象; 可用 --existing 采用它, 或先将其删除",
        )
        self.token = token
        self.name = name


class KindNotInToken(RefusedError):
    """Keys of this kind are not kept in tokens here."""

    code = "kind-not-in-token"

    def __init__(self, algorithm: str, known: str) -> None:
        super().__init__(
            f"keys of kind {algorithm} are not made in tokens; choose one of {known}, or keep the key in a file",
            f"不支持在密码设备中创建 {algorithm} 密钥; 请选用 {known}, 或将密钥保存在文件中",
        )
        self.algorithm = algorithm
