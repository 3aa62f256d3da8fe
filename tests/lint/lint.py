#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.py [ROOT]: what the house refuses and no compiler sees. One finding a line, `file:line: rule: why`; exits 1
when there is any. `--rules` lists the rules; tests/lint/selftest.py shows each of them failing on a bad sample."""
import os
import pathlib
import re
import sys
from dataclasses import dataclass, field

CPP = (".cpp", ".h")
SKIPPED_FOLDERS = {".git", "build", ".cache", "__pycache__", "node_modules"}
LINES_AT_MOST = 500
BEAST_UNITS_AT_MOST = 20

# Which folder turns a library's exceptions and codes into Error. Tests may look at our own output with anything.
LIBRARY_OWNERS = {
    r"yaml-cpp/": {"config"},
    r"pqxx/|libpq-fe\.h": {"store"},
    r"SQLiteCpp/": {"store"},
    r"sqlite3\.h": {"store", "cli"},  # cli: `version` prints the library's
    r"CLI/": {"cli"},
    r"boost/beast": {"net"},
    r"openssl/ssl\.h": {"net", "trust"},
}
VOCABULARY_REFUSES = r"boost/|nlohmann/|simdjson|pqxx|SQLiteCpp|sqlite3|yaml-cpp|openssl/|spdlog|prometheus/"


@dataclass
class Finding:
    file: str
    line: int
    rule: str
    why: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.rule}: {self.why}"


@dataclass
class Source:
    path: str  # from the root, with /
    text: str
    code: str = ""  # C++: comments and the insides of strings blanked, lines kept
    includes: list = field(default_factory=list)  # (line, name, quoted)

    @property
    def lines(self):
        return self.text.splitlines()


def blank_comments_and_strings(text):
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        piece = match.group(0)
        keep = piece[0] if piece[0] in "\"'R" else ""
        return keep + re.sub(r"[^\n]", " ", piece[len(keep):])

    # An include's own quotes must survive, and a digit separator is no character literal.
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", " ", text)
    return "\n".join(line if line.lstrip().startswith("#include") else blanked
                     for line, blanked in zip(text.split("\n"), pattern.sub(blank, text).split("\n")))


def read_tree(root):
    sources = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in sorted(files):
            full = os.path.join(folder, name)
            if os.path.islink(full):
                continue
            try:
                text = pathlib.Path(full).read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                continue
            source = Source(os.path.relpath(full, root).replace(os.sep, "/"), text)
            if name.endswith(CPP):
                source.code = blank_comments_and_strings(text)
                for number, line in enumerate(source.lines, 1):
                    match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
                    if match:
                        source.includes.append((number, match.group(2), match.group(1) == '"'))
            sources.append(source)
    return sources


def modules(root):
    """name → everything it may include, from the fedgate_module lines of CMakeLists.txt."""
    text = pathlib.Path(root, "CMakeLists.txt").read_text(encoding="utf-8")
    direct = {}
    for name, rest in re.findall(r"^fedgate_module\((\w+)\s*([^)]*)\)", text, re.M):
        links = rest.split("LINKS", 1)[1].split() if "LINKS" in rest else []
        unknown = [l for l in links if l not in direct]
        if unknown:
            raise SystemExit(f"CMakeLists.txt: {name} links {unknown[0]}, which does not stand above it in the list")
        direct[name] = links
    closed = {}
    for name, links in direct.items():
        closed[name] = {name}.union(*(closed[l] for l in links))
    return closed


def folder_of(path):
    """The module whose rules hold for a file; None: the file may include anything."""
    parts = path.split("/")
    if parts[:2] == ["include", "fedgate"]:
        return "vocabulary"
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ["tests", "unit"] and len(parts) > 3:
        return parts[2]
    return None


def project_include(name, known):
    """The file in the tree that a quoted include means, or None for a library's header."""
    for place in ("src/" + name, "include/" + name, "tests/" + name):
        if place in known:
            return place
    return None


def rule_includes(tree):
    """A folder includes only what CMakeLists.txt lets it link; include/fedgate holds plain values only."""
    known = {s.path for s in tree.sources}
    for source in tree.cpp():
        folder = folder_of(source.path)
        for line, name, quoted in source.includes:
            where = project_include(name, known)
            if quoted and ("../" in name or "/" not in name) and source.path.startswith(("src/", "include/")):
                yield Finding(source.path, line, "includes", f'"{name}": write it from the root of src/, "folder/{os.path.basename(name)}"')
            if source.path.startswith("include/fedgate/") and re.match(VOCABULARY_REFUSES, name):
                yield Finding(source.path, line, "includes", f"<{name}>: the vocabulary has neither Asio nor SQL nor JSON")
            if folder is None or where is None:
                continue
            target = folder_of(where)
            if target is None or target == "vocabulary":
                if where.startswith("tests/") and not source.path.startswith("tests/"):
                    yield Finding(source.path, line, "includes", f'"{name}": the product includes nothing of tests/')
                continue
            if folder not in tree.modules:
                yield Finding(source.path, line, "includes", f"folder {folder} has no fedgate_module line in CMakeLists.txt")
            elif target not in tree.modules[folder]:
                yield Finding(source.path, line, "includes", f'{folder} may not include "{name}": {target} stands beside or above it (LINKS in CMakeLists.txt)')


def rule_libraries(tree):
    """A library is included only by the folder that turns its exceptions and codes into Error."""
    for source in tree.cpp("src/"):
        for line, name, _ in source.includes:
            for pattern, owners in LIBRARY_OWNERS.items():
                if re.match(pattern, name) and folder_of(source.path) not in owners:
                    yield Finding(source.path, line, "libraries", f"<{name}> belongs to {', '.join(sorted(owners))}")


def rule_json(tree):
    """Only base parses foreign JSON: nlohmann alone stops at NUL, skips a BOM and has no depth limit."""
    names = {"nlohmann::json", "nlohmann::ordered_json"}
    for source in tree.cpp():
        names.update(re.findall(r"\busing\s+(\w+)\s*=\s*nlohmann::(?:ordered_)?json\s*;", source.code))
    pattern = rf"(?<![\w:])({'|'.join(sorted(map(re.escape, names)))})\s*::\s*(parse|accept|sax_parse|from_\w+)\s*\("
    for source in tree.cpp("src/"):
        if folder_of(source.path) != "base":
            yield from source_matches(source, pattern, "json", "use the strict parser of base/json.h")


def rule_detached(tree):
    """Every coroutine and thread has an owner that cancels and joins it."""
    for source in tree.cpp():
        yield from source_matches(source, r"\b(asio::)?detached\b|\.\s*detach\s*\(", "detached", "await it or give it to a TaskGroup; join threads")


BAD_WORDS = r"(Manager|Helper|Helpers|Util|Utils|Utility|Utilities)"
BAD_PARTS = {"manager", "helper", "helpers", "util", "utils", "utility", "utilities"}


def rule_names(tree):
    """No Manager, Helper or Util; no detail/ or impl/: a name says what the thing is."""
    for source in tree.cpp():
        yield from source_matches(source, rf"\b(class|struct|enum|union|concept|using|namespace|typename|class\s+enum)\s+(?:[A-Za-z_:]*?)\w*{BAD_WORDS}\b|\bnamespace\s+([\w:]*::)?(manager|helpers?|utils?|utilities)\b",
                                  "names", "name it after what it is or does")
    seen = set()
    for source in tree.sources:
        parts = source.path.split("/")
        for i, part in enumerate(parts):
            place = "/".join(parts[:i + 1])
            if place in seen:
                continue
            seen.add(place)
            stem = part if i < len(parts) - 1 else part.rsplit(".", 1)[0]
            if BAD_PARTS & set(re.split(r"[_\-.]", stem.lower())):
                yield Finding(place, 1, "names", f"{part}: name it after what it holds")
            if i < len(parts) - 1 and part in ("detail", "impl"):
                yield Finding(place, 1, "names", f"{part}/: what others do not need stays in the .cpp")


def rule_basenames(tree):
    """No file name stands both in include/fedgate and in src."""
    public = {os.path.basename(s.path) for s in tree.cpp("include/fedgate/")}
    for source in tree.cpp("src/"):
        if os.path.basename(source.path) in public:
            yield Finding(source.path, 1, "basenames", f"include/fedgate/{os.path.basename(source.path)} has the same name; rename one")


def rule_length(tree):
    """A file is one sitting."""
    for source in tree.cpp("src/"):
        if len(source.lines) > LINES_AT_MOST:
            yield Finding(source.path, len(source.lines), "length", f"{len(source.lines)} lines, at most {LINES_AT_MOST}: split it by subject")


def rule_spdx(tree):
    """C++ begins with the SPDX line; scripts and CMake have it in their first two lines."""
    for source in tree.sources:
        if source.path.endswith(CPP):
            first, wanted = 1, "// SPDX-License-Identifier: Apache-2.0"
        elif source.path.endswith((".py", ".cmake", ".sh", ".service")) or os.path.basename(source.path) == "CMakeLists.txt" or source.text.startswith("#!"):
            first, wanted = 2, "# SPDX-License-Identifier: Apache-2.0"
        else:
            continue
        if wanted not in [line.strip() for line in source.lines[:first]]:
            yield Finding(source.path, 1, "spdx", f"the line `{wanted}` is missing")


def rule_unfinished(tree):
    """Nothing is left for later in the text; an issue holds it."""
    for source in tree.prose_and_code():
        yield from source_matches(source, r"\b(TODO|FIXME|XXX)\b", "unfinished", "finish it, or open an issue and take the mark out", text=True)


def rule_beast(tree):
    """Few units see Beast: each costs 6 to 31 s."""
    known = {s.path: s for s in tree.sources if s.path.endswith(CPP)}
    memo = {}

    def reaches(path):
        if path in memo:
            return memo[path]
        memo[path] = False
        for _, name, _ in known[path].includes:
            where = project_include(name, known)
            if name.startswith("boost/beast") or (where and reaches(where)):
                memo[path] = True
                break
        return memo[path]

    units = [p for p in sorted(known) if p.endswith(".cpp") and reaches(p)]
    if len(units) > BEAST_UNITS_AT_MOST:
        yield Finding(units[-1], 1, "beast", f"{len(units)} units include Beast, at most {BEAST_UNITS_AT_MOST}: {', '.join(units)}")


def rule_machine(tree):
    """No path of a build machine and nothing outside the repository."""
    for source in tree.prose_and_code():
        yield from source_matches(source, r"(?<![\w./])/work/", "machine", "a path of one machine", text=True)
        # The comparison kit is not ours to ship; only the script that runs it knows where it may be.
        if source.path != "scripts/bench":
            yield from source_matches(source, r"\.\./shared\b", "machine", "stands outside the repository", text=True)


def rule_sleep(tree):
    """A test waits for a condition, with a bound; tests/support has the one loop that does."""
    for source in tree.cpp("tests/"):
        if source.path.startswith("tests/support/"):
            continue
        for finding in source_matches(source, r"\bthis_thread\s*::\s*sleep_\w+|\b(u|nano)?sleep\s*\(", "sleep",
                                      "wait for the condition itself, with a bound (tests/support); a delay that is itself the subject says `not a wait` on its line"):
            if not re.search(r"//.*\bnot a wait\b", source.lines[finding.line - 1]):
                yield finding


def rule_links(tree):
    """A relative link in the documentation leads somewhere."""
    for source in tree.sources:
        if not source.path.endswith(".md"):
            continue
        for number, line in enumerate(source.lines, 1):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                where = os.path.normpath(os.path.join(tree.root, os.path.dirname(source.path), target))
                if not os.path.exists(where):
                    yield Finding(source.path, number, "links", f"{target} does not exist")


RULES = [rule_includes, rule_libraries, rule_json, rule_detached, rule_names, rule_basenames, rule_length, rule_spdx,
         rule_unfinished, rule_beast, rule_machine, rule_sleep, rule_links]


def source_matches(source, pattern, rule, why, text=False):
    body = source.text if text or not source.code else source.code
    for number, line in enumerate(body.splitlines(), 1):
        match = re.search(pattern, line)
        if match:
            yield Finding(source.path, number, rule, f"`{match.group(0).strip()}`: {why}")


class Tree:
    def __init__(self, root):
        self.root = root
        self.sources = read_tree(root)
        self.modules = modules(root)

    def cpp(self, prefix=""):
        return [s for s in self.sources if s.path.endswith(CPP) and s.path.startswith(prefix)]

    def prose_and_code(self):
        # This folder's own samples hold what it refuses.
        return [s for s in self.sources if not s.path.startswith("tests/lint/") and s.path != "LICENSE"]


def findings(root):
    tree = Tree(root)
    return [f for rule in RULES for f in rule(tree)]


def main():
    if sys.argv[1:] == ["--rules"]:
        for rule in RULES:
            print(f"{rule.__name__.removeprefix('rule_'):12} {rule.__doc__}")
        return 0
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and not os.path.isdir(sys.argv[1])):
        print("usage: lint.py [ROOT | --rules]", file=sys.stderr)
        return 2
    root = sys.argv[1] if len(sys.argv) == 2 else os.path.normpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    found = findings(root)
    for finding in found:
        print(finding)
    print(f"lint: {len(RULES)} rules, {len(found)} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
