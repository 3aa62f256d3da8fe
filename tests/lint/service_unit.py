#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The systemd unit is well-formed and as closed as promised (an exposure of at most 1.5). Exits 77 (skipped), and
says so, where systemd-analyze is missing."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

UNIT = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "fedgate.service"
EXPOSURE_AT_MOST = 1.5
DIRECTIVES = ["DynamicUser=yes", "Type=notify", "StateDirectory=fedgate", "RuntimeDirectory=fedgate", "NoNewPrivileges=yes"]


def main():
    text = UNIT.read_text(encoding="utf-8")
    problems = [f"{d} is missing" for d in DIRECTIVES if d not in text.splitlines()]
    problems += [f"{d} is missing" for d in ("WatchdogSec=", "ExecReload=", "LoadCredential=") if f"\n{d}" not in text]
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        print("skipped: systemd-analyze is not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, UNIT.name)
        # `verify` wants the program to exist; ours need not be installed where the tests run.
        copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M), encoding="utf-8")
        plain = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
        verify = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, env=plain, timeout=60)
        noise = [line for line in verify.stderr.splitlines() if UNIT.name in line]
        if verify.returncode != 0 or noise:
            problems.append("systemd-analyze verify: " + (" | ".join(noise) or verify.stderr.strip()))
        security = subprocess.run([analyze, "security", "--offline=true", str(copy)], capture_output=True, text=True, env=plain, timeout=60)
        score = re.search(r"exposure level for \S+: ([0-9.]+)", security.stdout)
        if not score:
            problems.append("systemd-analyze security gave no score: " + security.stderr.strip())
        else:
            print(f"exposure {score.group(1)}, at most {EXPOSURE_AT_MOST}")
            if float(score.group(1)) > EXPOSURE_AT_MOST:
                problems.append(f"exposure {score.group(1)} is above {EXPOSURE_AT_MOST}")
    for problem in problems:
        print(f"{UNIT.name}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
