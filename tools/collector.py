"""Build an OpenTelemetry collector with the parts that ops/otel/collector.yml names.

Usage: ``python tools/collector.py``. It needs Go and takes some minutes; the program is kept in the
user's cache, where the test of that configuration finds it. The version is the one of the image in
.env. A fleet does not need it: docker-compose.yml runs the public image.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "argos/bin"
CORE = "go.opentelemetry.io/collector"
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"
PARTS = {
    "receivers": (f"{CORE}/receiver/otlpreceiver",),
    "processors": (f"{CORE}/processor/memorylimiterprocessor", f"{CORE}/processor/batchprocessor"),
    "exporters": (f"{CORE}/exporter/otlpexporter",),
    "extensions": (f"{CONTRIB}/extension/healthcheckextension",),
}


def main() -> int:
    """Build it. Returns the exit code."""
    go = shutil.which("go")
    if go is None:
        print("collector: there is no Go here: install it from go.dev", file=sys.stderr)
        return 1
    version = _version()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder, "builder.yaml")
        manifest.write_text(_manifest(version, folder), encoding="utf-8")
        words = [go, "run", f"{CORE}/cmd/builder@v{version}", "--config", str(manifest)]
        built = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            print(f"collector: it could not be built: {built.stderr[-600:]}", file=sys.stderr)
            return 1
        CACHE.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(folder, "otelcol"), CACHE / "otelcol")
    print(f"collector: {CACHE / 'otelcol'} is of version {version}")
    return 0


def _version() -> str:
    lines = (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    image = next(line for line in lines if line.startswith("OTEL_COLLECTOR_IMAGE="))
    return image.rpartition(":")[2]


def _manifest(version: str, folder: str) -> str:
    lines = [f"dist: {{name: otelcol, version: {version}, output_path: {folder}}}"]
    for kind, modules in PARTS.items():
        lines.append(f"{kind}:")
        lines += [f"  - gomod: {module} v{version}" for module in modules]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
