"""Build ``.venv`` from ``uv.lock`` on a machine that has Python 3.11 and a package index, no more.

Downloads one pinned uv wheel, checks its SHA-256, unpacks the binary into ``.tools/`` and lets it
install exactly what the lock file names. Needs no pip, venv, compiler or root, and writes only
inside the project folder. When nothing changed it only compares one hash.

Environment: ``UV_DEFAULT_INDEX``, ``UV_INDEX_URL`` or ``PIP_INDEX_URL`` choose another index (so
does ``index-url`` in pip's configuration); ``SSL_CERT_FILE`` or ``PIP_CERT`` name extra
certificates; ``HTTPS_PROXY`` is honoured; ``UV_CACHE_DIR`` moves the cache. ``--lock`` resolves
``uv.lock`` again first.
"""

# Imports of slow modules are inside functions: the usual run only compares the stamp, in
# milliseconds. This file must also parse under older Pythons, so that it can name the problem.

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from package_index import PYPI, PackageIndexError, certificates, fetch, find_link, index_url

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
STAMP = VENV / ".argos-bootstrap"
PYTHON_MIN = (3, 11)

UV_VERSION = "0.13.8"
# (system, machine, libc) -> (platform tag of the wheel, its SHA-256).
UV_WHEELS = {
    ("Linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
    ),
    ("Linux", "x86_64", "musl"): (
        "musllinux_1_1_x86_64",
        "29451c60f5e8b07403e0a175d5229efc36b0289b34143ff4aaa499a5dd52553a",
    ),
    ("Linux", "aarch64", "glibc"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
    ),
    ("Linux", "aarch64", "musl"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
    ),
    ("Darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
    ),
    ("Darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1",
    ),
}


class BootstrapError(Exception):
    """Setup cannot go on; the message is one sentence that says what to do."""


def say(line: str) -> None:
    """Print one progress line at once, also into a pipe."""
    print("setup: " + line, flush=True)


def stamp_key() -> str:
    """Hash everything the environment is made from: the lock, all project files, the tool."""
    digest = hashlib.sha256()
    projects = sorted(
        [
            ROOT / "pyproject.toml",
            *(ROOT / "libs").glob("*/pyproject.toml"),
            *(ROOT / "services").glob("*/pyproject.toml"),
            ROOT / "simulation/pyproject.toml",
            ROOT / "cli/pyproject.toml",
        ]
    )
    # The absolute root is part of the key: scripts in a moved .venv point at the old place.
    digest.update((UV_VERSION + os.sep + str(ROOT)).encode())
    for path in [ROOT / "uv.lock", *projects]:
        if not path.is_file():
            raise BootstrapError(f"{path.relative_to(ROOT)} is missing; get a complete checkout")
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    config = VENV / "pyvenv.cfg"
    digest.update(config.read_bytes() if config.is_file() else b"")
    return digest.hexdigest()


def is_current() -> bool:
    """Say whether ``.venv`` was built from exactly these files and its Python still exists."""
    try:
        return (VENV / "bin/python").exists() and STAMP.read_text() == stamp_key()
    except OSError:
        return False


def wheel() -> tuple[str, str]:
    """Return file name and SHA-256 of the uv wheel for this machine."""
    import platform

    system, machine = platform.system(), platform.machine()
    libc = ""
    if system == "Linux":
        libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
        machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(machine, machine)
    known = UV_WHEELS.get((system, machine, libc))
    if known is None:
        raise BootstrapError(
            f"no pinned uv for {system} {machine}; install uv {UV_VERSION} yourself and run"
            " `uv sync --frozen`"
        )
    tag, sha256 = known
    return f"uv-{UV_VERSION}-py3-none-{tag}.whl", sha256


def install_uv(uv: Path) -> None:
    """Download the pinned wheel, verify it, and put its binary at ``uv``."""
    import io
    import zipfile

    filename, expected = wheel()
    base = index_url() + "uv/"
    say(f"looking for uv {UV_VERSION} on {base.rpartition('@')[2]}")
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1"
    page, content_type, final = fetch(base, accept)
    address = find_link(page, content_type, final, filename)
    if address is None:
        raise BootstrapError(
            f"the index has no {filename}; choose a complete one (UV_DEFAULT_INDEX)"
        )
    say(f"downloading {filename}")
    body, _, _ = fetch(address)
    actual = hashlib.sha256(body).hexdigest()
    if actual != expected:
        raise BootstrapError(
            f"{filename} has SHA-256 {actual}, expected {expected}; refusing to run it"
        )
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        binary = archive.read(f"uv-{UV_VERSION}.data/scripts/uv")
    partial = uv.with_name(f"{uv.name}.{os.getpid()}.part")
    partial.write_bytes(binary)
    partial.chmod(0o755)
    partial.replace(uv)  # atomic: an interrupted download never leaves half a binary


def uv_environment() -> dict[str, str]:
    """Environment for uv: everything inside the project, this Python, the chosen index."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH")
    }
    environment.setdefault("UV_CACHE_DIR", str(TOOLS / "cache"))
    environment.update(
        UV_PYTHON_DOWNLOADS="never",
        UV_PROJECT_ENVIRONMENT=str(VENV),
        UV_NO_PROGRESS="1",
    )
    if index_url() != PYPI:
        environment["UV_DEFAULT_INDEX"] = index_url()  # uv itself does not read pip's settings
    extra = certificates()
    if extra:
        environment["SSL_CERT_FILE"] = extra
    else:
        # The same trust as this script: the system's store, not a list inside the binary.
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    return environment


def sync(uv: Path) -> None:
    """Install what ``uv.lock`` names into ``.venv``, with this Python or the one already there."""
    existing = VENV / "bin/python"
    base = getattr(sys, "_base_executable", sys.executable) or sys.executable
    python = str(existing) if existing.exists() and (VENV / "pyvenv.cfg").exists() else base
    say("installing the locked packages into .venv (the first time takes a minute)")
    if index_url() != PYPI:
        _install_from_mirror(uv, python)
    _run(uv, "sync", "--frozen", "--all-packages", "--python", python)


def _install_from_mirror(uv: Path, python: str) -> None:
    """Install the locked versions from the chosen index, with the lock's hashes.

    The lock holds the addresses it was made with, and ``uv sync`` downloads from those. Here the
    packages come from the mirror first, so that ``uv sync`` finds nothing left to download.
    """
    requirements = TOOLS / "requirements.txt"
    export = ("export", "--frozen", "--all-packages", "--no-emit-workspace", "--quiet")
    _run(uv, *export, "--python", python, "--output-file", str(requirements))
    if not (VENV / "bin/python").exists():
        _run(uv, "venv", "--python", python, "--clear", str(VENV))
    install = (
        "pip",
        "install",
        "--no-deps",
        "--require-hashes",
        "--requirement",
        str(requirements),
    )
    _run(uv, *install, "--python", str(VENV / "bin/python"))


def _run(uv: Path, *arguments: str) -> None:
    import subprocess

    command = [str(uv), *arguments]
    if subprocess.run(command, cwd=ROOT, env=uv_environment(), check=False).returncode != 0:
        raise BootstrapError(f"`uv {arguments[0]}` failed; its own message is above")


def relock(uv: Path) -> None:
    """Resolve the dependencies again into ``uv.lock``; keeps versions that still fit."""
    say("resolving the dependencies into uv.lock")
    _run(uv, "lock")


def bootstrap(*, lock_first: bool = False) -> None:
    """Bring ``.venv`` up to date; does nothing when it already is."""
    if is_current() and not lock_first:
        return
    try:
        TOOLS.mkdir(exist_ok=True)
        with (TOOLS / "lock").open("w") as lock:
            _lock(lock.fileno())
            if is_current() and not lock_first:  # another make finished it while this one waited
                return
            uv = TOOLS / f"uv-{UV_VERSION}"
            if not uv.exists():
                install_uv(uv)
            if lock_first:
                relock(uv)
            sync(uv)
            STAMP.write_text(stamp_key())
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BootstrapError(
            f"cannot write the project folder {ROOT}: {error.strerror or error}{where}"
        ) from error
    say("ready")


def _lock(descriptor: int) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say("waiting for another setup in this folder")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def use_newer_python() -> None:
    """Re-run under a newer Python found on PATH when this one is too old; else explain."""
    import shutil

    for minor in (13, 12, 11, 14):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])  # noqa: S606 - a Python from PATH, no shell
    raise BootstrapError(
        "Argos needs Python 3.11 or newer, this is {}.{}; install python3.11 or run"
        " `make PYTHON=/path/to/python3.11`".format(*sys.version_info[:2])
    )


def main() -> int:
    """Run the bootstrap. Returns the exit code: 0, or 1 after one sentence on stderr."""
    try:
        if sys.version_info < PYTHON_MIN:
            use_newer_python()
        bootstrap(lock_first="--lock" in sys.argv[1:])
    except (BootstrapError, PackageIndexError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to continue", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
