"""Prints the sources that clang-tidy looks at, one a line. usage: tidy_files.py BUILD all|changed

changed: those that differ from where this branch left main (on main: from the commit before), the most changed first. A changed header
stands for the source of the same name. At most TOLLGATE_TIDY_MAX of them (default 30), so that a check of a large change ends in time."""
import json
import os
import subprocess
import sys

from check_common import ROOT

MOST = int(os.environ.get("TOLLGATE_TIDY_MAX", "30"))


def git(*words):
    """What git prints, or nothing when it fails."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def compiled(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        paths = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT) for entry in json.load(file)}
    return {path for path in paths if path.startswith(("libs/", "services/", "tests/"))}


def compared_commit():
    head = git("rev-parse", "HEAD")
    for branch in ("origin/main", "main"):
        base = git("merge-base", "HEAD", branch)
        if base and base != head:
            return base
    return git("rev-parse", "--verify", "HEAD~1")


def changed_lines(base):
    """{source: lines added and removed} since `base`, the working tree included."""
    lines = {}
    for row in git("diff", "--numstat", base, "--", "*.cpp", "*.hpp").splitlines():
        added, removed, path = row.split("\t")
        source = os.path.splitext(path)[0] + ".cpp"
        lines[source] = lines.get(source, 0) + int(added) + int(removed)
    return lines


def main():
    build, which = sys.argv[1:]
    sources = compiled(build)
    if which == "all":
        print(*sorted(sources), sep="\n")
        return
    base = compared_commit()
    if not base:
        print("tidy: there is no earlier commit to compare with; nothing is checked", file=sys.stderr)
        return
    lines = changed_lines(base)
    changed = sorted(sources & lines.keys(), key=lambda source: (-lines[source], source))
    if len(changed) > MOST:
        print(f"tidy: {len(changed)} sources changed since {base[:12]}; checked are the {MOST} that changed most "
              "(scripts/check --tidy checks all, TOLLGATE_TIDY_MAX sets the number)", file=sys.stderr)
    else:
        print(f"tidy: {len(changed)} sources changed since {base[:12]}", file=sys.stderr)
    if changed:
        print(*changed[:MOST], sep="\n")


if __name__ == "__main__":
    main()
