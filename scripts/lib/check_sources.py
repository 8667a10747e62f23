"""Checks of the sources that need no compiler: include fences, sizes, words, layout, links. usage: check_sources.py CHECK"""
import ast
import json
import os
import re
import subprocess
import sys

from check_common import ROOT, finish, is_script, read, tracked
from check_links import check_links

# Who may include a third-party API (STYLE 5). The key is matched against what stands between the quotes or brackets.
FENCES = {
    r"sofia-sip/": "libs/sofia/",
    r"nats(\.h|/)": "libs/bus/",
    r"hiredis": "libs/redis/",
    r"(cppconn/|mysql_|mysql/|mysqlx/|mariadb/)": "libs/sql/",
    r"sqlite3": "libs/spool/",
    r"(cpprest/|pplx/)": "libs/http/",
    r"(prometheus/|spdlog/|fmt/)": "libs/telemetry/",
    r"[Cc]ivet": "libs/service/",
    r"[Cc]ivet": "libs/service/",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 140

# Put together from halves, so that this file does not find itself.
UNFINISHED = [left + right for left, right in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"))]
WORDS = re.compile(r"\b(" + "|".join(UNFINISHED) + r")\b|\b(st" + r"ub(bed|s)?|not impl" + r"emented)\b|/work/(main|shared)\b")

# Words that once had a private meaning here, and what is said instead (ARCHITECTURE "Glossary"). In halves, as above.
PRIVATE = {"stran" + r"gers?": "unknown source", "sto" + r"r(?:y|ies)": "record", "Call" + "Sto" + "ry": "CallRecord",
           "by" + "ed": "ended with BYE",
           "judg" + r"(?:es?|ed|ement|ing)": "check", "buri" + "ed|bu" + "ry": "dead letter", "dead_" + "records?": "dead_letters",
           "Cidr" + "Trie": "NetworkMap", "Prefix" + "Trie": "PrefixMap"}
PRIVATE_WORD = re.compile(r"\b(?:" + "|".join(f"({word})" for word in PRIVATE) + r")\b")

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "README.md", "CHANGELOG.md", "LICENSE",
             "libs", "services", "proto", "deploy", "helm", "tests", "scripts"}


def check_fences():
    findings = []
    for name in tracked(".hpp", ".cpp", ".h", ".cc"):
        for number, line in enumerate(read(name).splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            for pattern, owner in FENCES.items():
                if re.match(pattern, header) and not name.startswith(owner):
                    findings.append(f"{name}:{number}: <{header}> belongs to {owner} alone")
            if header.startswith("services/"):
                own = "/".join(name.split("/")[:2])
                if name.startswith("libs/"):
                    findings.append(f"{name}:{number}: a library includes a service: {header}")
                elif name.startswith("services/") and not header.startswith(own + "/"):
                    findings.append(f"{name}:{number}: one service includes another: {header}")
            if header == "nlohmann/json.hpp" and name.endswith(".hpp") and name.startswith("libs/"):
                findings.append(f"{name}:{number}: <nlohmann/json.hpp> in a library's header; include it in the .cpp")
    return finish("fences", findings, "Use the wrapping library instead.")


def cpp_functions(names):
    """(file, line, name, length) of every C++ and TypeScript function, by ctags."""
    command = ["ctags", "--languages=C++,TypeScript", "--langmap=TypeScript:+.tsx", "--kinds-C++=f", "--kinds-TypeScript=fm",
               "--fields=+ne", "--output-format=json", "-f", "-", "-L", "-"]
    output = subprocess.run(command, cwd=ROOT, check=True, input="\n".join(names), text=True, capture_output=True).stdout
    for line in output.splitlines():
        tag = json.loads(line)
        if tag.get("end"):
            yield tag["path"], tag["line"], tag["name"], tag["end"] - tag["line"] + 1


def python_functions(name):
    for node in ast.walk(ast.parse(read(name))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield name, node.lineno, node.name, node.end_lineno - node.lineno + 1


def shell_functions(name):
    start = None
    for number, line in enumerate(read(name).splitlines(), 1):
        opening = re.match(r"^(\w+)\s*\(\)\s*\{\s*$", line)
        if opening:
            start = (number, opening.group(1))
        elif line == "}" and start:
            yield name, start[0], start[1], number - start[0] + 1
            start = None


def check_sizes():
    findings = []
    compiled = tracked(".hpp", ".cpp", ".ts", ".tsx")
    scripts = [name for name in tracked() if is_script(name)]
    python = tracked(".py") + [name for name in scripts if "python" in read(name).split("\n", 1)[0]]
    shell = tracked(".sh") + [name for name in scripts if name not in python]
    for name in compiled + python + shell + tracked(".md", ".proto"):
        lines = read(name).splitlines()
        if len(lines) > FILE_LINES_MAX and not name.endswith((".md", ".proto")):
            findings.append(f"{name}: {len(lines)} lines, at most {FILE_LINES_MAX}")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and "://" not in line and not line.startswith("|"):
                findings.append(f"{name}:{number}: {len(line)} columns, at most {COLUMNS_MAX}")
    functions = list(cpp_functions(compiled))
    for name in python:
        functions += python_functions(name)
    for name in shell:
        functions += shell_functions(name)
    for name, line, function, length in functions:
        if length > FUNCTION_LINES_MAX:
            findings.append(f"{name}:{line}: {function} has {length} lines, at most {FUNCTION_LINES_MAX}")
    return finish("sizes", findings, "Split along what changes for different reasons.")


def private_word(line):
    """What is said instead of the first private word of a line, names in CamelCase and snake_case included; (word, instead) or None."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", line).lower()
    found = PRIVATE_WORD.search(line) or PRIVATE_WORD.search(spaced)
    return (found.group(0), list(PRIVATE.values())[found.lastindex - 1]) if found else None


def check_words():
    findings = []
    suffixes = (".hpp", ".cpp", ".py", ".sh", ".ts", ".tsx", ".proto", ".sql", ".lua", ".txt", ".cmake", ".yaml", ".yml", ".md")
    for name in tracked():
        if not name.endswith(suffixes) and not is_script(name):
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            match = WORDS.search(line)
            if match:
                findings.append(f"{name}:{number}: '{match.group(0)}'")
            private = private_word(line)
            if private:
                findings.append(f"{name}:{number}: '{private[0]}': say {private[1]}")
    return finish("words", findings, "Finish it, or say in plain words what is not there; name no machine's folders.")


def check_layout():
    findings = []
    names = tracked()
    for top in sorted({name.split("/")[0] for name in names}):
        if top not in TOP_LEVEL and not top.startswith("."):
            findings.append(f"{top}: does not belong at the top level")
    folders = {"/".join(name.split("/")[:2]) for name in names if re.match(r"(libs|services)/[^/]+/", name)}
    for folder in sorted(folders):
        if f"{folder}/README.md" not in names:
            findings.append(f"{folder}: README.md is missing (purpose, owns, refuses, failure policy)")
    for name in names:
        base = os.path.basename(name)
        if name.endswith((".hpp", ".cpp")) and not re.fullmatch(r"[a-z0-9_]+\.(hpp|cpp)", base):
            findings.append(f"{name}: file names are snake_case")
        if name.endswith(".hpp") and not read(name).startswith("//"):
            findings.append(f"{name}: a header begins with what it is for and which thread may call it")
        if name.endswith(".hpp") and "#pragma once" not in read(name):
            findings.append(f"{name}: #pragma once is missing")
    return finish("layout", findings, "See STYLE: names, folders, headers.")


CHECKS = {"fences": check_fences, "sizes": check_sizes, "words": check_words, "layout": check_layout, "links": check_links}

if __name__ == "__main__":
    sys.exit(CHECKS[sys.argv[1]]())
