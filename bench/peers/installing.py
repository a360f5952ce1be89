"""Install the peers beside the project, in a folder of their own: nothing of theirs is part of it.

    python -m bench.peers.installing

Python's come from requirements/peers.txt with hashes, Node's from the lock file beside its script, Java's as Debian
packages that are unpacked, not installed. What cannot be had is said and left out; there is nothing to be run for it.
"""

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".peers"
PYTHON = FOLDER / "python" / "bin" / "python"
NODE = FOLDER / "node"
JAVA = FOLDER / "java"

_REQUIREMENTS = ROOT / "requirements" / "peers.txt"
_HERE = Path(__file__).parent
_DEBIAN = (
    "libpdfbox2-java",
    "libfontbox2-java",
    "libcommons-logging-java",
    "libbcprov-java",
    "libbcpkix-java",
    "libbcutil-java",
    "libzxing-core-java",
)
_JARS = ("pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil", "core")


def install_python() -> None:
    """Make an environment with the typesetters and signing libraries of Python."""
    wanted = _REQUIREMENTS.read_bytes()
    stamp = FOLDER / "python" / "installed.txt"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return
    venv.create(FOLDER / "python", with_pip=True, clear=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    _run([*pip, "--require-hashes", "--requirement", str(_REQUIREMENTS)])
    stamp.write_bytes(wanted)


def install_node() -> None:
    """Install pdf-lib and @signpdf as the lock file says."""
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "peer.mjs"):
        shutil.copyfile(_HERE / "node" / name, NODE / name)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], NODE)


def install_java() -> None:
    """Unpack PDFBox, BouncyCastle and ZXing, and compile the peer."""
    packages, classes = JAVA / "packages", JAVA / "classes"
    packages.mkdir(parents=True, exist_ok=True)
    classes.mkdir(exist_ok=True)
    if not all(_jar(name).exists() for name in _JARS):
        _run(["apt-get", "download", "--quiet", *_DEBIAN], packages)
        for package in sorted(packages.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(package), str(packages)])
    _run(["javac", "-classpath", class_path(), "-d", str(classes), str(_HERE / "java" / "Peer.java")])


def class_path() -> str:
    """Where Java finds the libraries and the peer."""
    return ":".join([*(str(_jar(name)) for name in _JARS), str(JAVA / "classes")])


def _jar(name: str) -> Path:
    return JAVA / "packages" / "usr" / "share" / "java" / f"{name}.jar"


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


INSTALLERS: dict[str, Callable[[], None]] = {"python": install_python, "node": install_node, "java": install_java}


def main() -> int:
    """Install all, and say of each whether it worked; 1 when none did."""
    FOLDER.mkdir(exist_ok=True)
    failed = 0
    for name, install in INSTALLERS.items():
        why = FOLDER / f"{name}.failed"
        why.unlink(missing_ok=True)
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            why.write_text(said.strip()[-500:] + "\n", encoding="utf-8")
            print(f"{name}: not installed: {said.strip()[-500:]}", file=sys.stderr)
            failed += 1
        else:
            print(f"{name}: installed", file=sys.stderr)
    return int(failed == len(INSTALLERS))


if __name__ == "__main__":
    sys.exit(main())
