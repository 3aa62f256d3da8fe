#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_readme.py FEDGATE: what the README tells a newcomer to type works.

Takes the ```sh blocks of README.md that stand behind <!-- run -->, in order, and runs them in one shell, in an empty
folder, with the built program on the path. Literal ports become free ones. <!-- expect: TEXT --> after a block must be in
what that block prints. Where the text lets a person take their time (a daemon was started), the test waits for it."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORTS = ("8443", "9443", "8080", "9080", "9000")
PATIENCE_SECONDS = 120


def blocks(text):
    """(line, shell text, expected texts) of each runnable block."""
    found = []
    pattern = re.compile(r"<!-- run -->\n```sh\n(.*?)```\n((?:<!-- expect: .*? -->\n)*)", re.S)
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append((line, match.group(1), re.findall(r"<!-- expect: (.*?) -->", match.group(2))))
    return found


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(s.getsockname()[1]) for s in held]
    for s in held:
        s.close()
    return ports


def waiting(shell):
    """A person is slower than a daemon's start; the test waits for it, with a bound."""
    shell = re.sub(r"^(fedgate serve --config (\S+)) &$",
                   r"\1 >>\2.log 2>&1 &\nfor _ in $(seq 300); do fedgate status --config \2 >/dev/null 2>&1 && break; sleep 0.1; done",
                   shell, flags=re.M)
    return re.sub(r"^(python3 examples/\S+ (\d+)) &$",
                  r"\1 >service.log 2>&1 &\nfor _ in $(seq 300); do (exec 3<>/dev/tcp/127.0.0.1/\2) 2>/dev/null && break; sleep 0.1; done",
                  shell, flags=re.M)


def main():
    if len(sys.argv) != 2 or not os.access(sys.argv[1], os.X_OK):
        print(__doc__, file=sys.stderr)
        return 2
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    if len(found) < 5:
        print(f"README.md has only {len(found)} runnable blocks; has their form changed?")
        return 1
    with tempfile.TemporaryDirectory(prefix="fgreadme.", ignore_cleanup_errors=True) as folder:
        programs = pathlib.Path(folder, "bin")
        programs.mkdir()
        (programs / "fedgate").symlink_to(pathlib.Path(sys.argv[1]).resolve())
        (pathlib.Path(folder) / "examples").symlink_to(ROOT / "examples")
        ports = dict(zip(PORTS, free_ports(len(PORTS))))
        script = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
        for number, (_, shell, _) in enumerate(found):
            shell = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda m: ports[m.group(1)], waiting(shell))
            # What init writes has the ports of a machine of one's own.
            shell = re.sub(r"s/0\.0\.0\.0:\d+/", "s/0.0.0.0:8443/", shell)
            shell = re.sub(r"s/127\.0\.0\.1:\d+/(127\.0\.0\.1:\d+)/'", r"s/127.0.0.1:8080/\1/'", shell)
            if "s/0.0.0.0:8443/" in shell:
                shell += f"sed -i 's/127.0.0.1:8080/127.0.0.1:{ports['8080']}/' orga/fedgate.yaml\n"
            script += [f"printf '\\n@@begin {number}\\n'", shell]
        script.append("printf '\\n@@begin end\\n'")
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": folder, "LC_ALL": "C.UTF-8"}
        environment.pop("FEDGATE_SOCKET", None)
        with open(pathlib.Path(folder, "out"), "w+", encoding="utf-8") as out:
            shell = subprocess.Popen(["bash", "-c", "\n".join(script)], cwd=folder, env=environment, stdout=out,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
            try:
                status = shell.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                status = "none in time"
            finally:
                try:
                    os.killpg(shell.pid, signal.SIGKILL)  # our own session: the daemons too
                except ProcessLookupError:
                    pass
                shell.wait()
            out.seek(0)
            printed = out.read()
        parts = re.split(r"^@@begin (\w+)\n", printed, flags=re.M)
        outputs = dict(zip(parts[1::2], parts[2::2]))
        problems = []
        if status != 0:
            reached = found[int(list(outputs)[-1])] if outputs and list(outputs)[-1] != "end" else found[-1]
            problems.append(f"README.md:{reached[0]}: the block that begins here ended with status {status}")
        for number, (line, _, expected) in enumerate(found):
            problems += [f"README.md:{line}: {text!r} is not in what the block printed" for text in expected if text not in outputs.get(str(number), "")]
        if problems:
            print(printed)
            for log in sorted(pathlib.Path(folder).rglob("*.log")):
                print(f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
        print("\n".join(problems) if problems else f"{len(found)} blocks of README.md, {sum(len(b[2]) for b in found)} expectations: as written")
        return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
