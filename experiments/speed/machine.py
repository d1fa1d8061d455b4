"""What the benchmark ran on: no names of hosts, no paths."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("numpy", "scipy", "numba", "pytensor", "pymc", "nutpie", "arviz-stats")


def description() -> str:
    """Processor and versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{platform.machine()}, {_processor()}, one of {os.cpu_count()} cores used; {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in _lines(info) if line.startswith("model name")]
    return names[0] if names else platform.processor() or "processor not known"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
