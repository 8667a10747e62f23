"""Prints the sources that clang-tidy looks at, one a line. usage: tidy_files.py BUILD all|changed

changed: those that differ from an earlier commit, the most changed first. That commit is TOLLGATE_TIDY_BASE when it is set, else where
this branch left origin/main, else the newest tag before HEAD, else the commit before HEAD. A changed header stands for the source of the
same name. At most TOLLGATE_TIDY_MAX of them (default 30), so that a check of a large change ends in time."""
import json
import os
import subprocess
import sys

from check_common import ROOT


def git(*words, root=ROOT):
    """What git prints, or nothing when it fails."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def compiled(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        paths = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT) for entry in json.load(file)}
    return {path for path in paths if path.startswith(("libs/", "services/", "tests/"))}


def compared_commit(wanted="", root=ROOT):
    """(commit to compare with, where it comes from); the commit is empty when there is none. `wanted`: a commit to use and no other."""

    def commit(name):
        return git("rev-parse", "--verify", "--quiet", name + "^{commit}", root=root)

    if wanted:
        return commit(wanted), f"TOLLGATE_TIDY_BASE={wanted}"
    fork = git("merge-base", "HEAD", "origin/main", root=root)
    if fork and fork != commit("HEAD"):
        return fork, "where HEAD left origin/main"
    tag = git("describe", "--tags", "--abbrev=0", "HEAD~1", root=root)
    if tag:
        return commit(tag), f"the newest tag, {tag}"
    return commit("HEAD~1"), "the commit before HEAD"


def changed_lines(base, root=ROOT):
    """{source: lines added and removed} since `base`, the working tree included. A moved file counts as new."""
    lines = {}
    for row in git("diff", "--numstat", "--no-renames", base, "--", "*.cpp", "*.hpp", root=root).splitlines():
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
    base, origin = compared_commit(os.environ.get("TOLLGATE_TIDY_BASE", ""))
    if not base:
        sys.exit(f"tidy: no commit to compare with ({origin} is not here); in a shallow clone run git fetch --unshallow, "
                 "or set TOLLGATE_TIDY_BASE to a commit")
    most = int(os.environ.get("TOLLGATE_TIDY_MAX", "30"))
    lines = changed_lines(base)
    changed = sorted(sources & lines.keys(), key=lambda source: (-lines[source], source))
    cut = f"; checked are the {most} that changed most, TOLLGATE_TIDY_MAX sets the number" if len(changed) > most else "; all are checked"
    print(f"tidy: {len(changed)} sources changed since {base[:12]} ({origin}){cut}", file=sys.stderr)
    for source in changed[:most]:
        print(source)


if __name__ == "__main__":
    main()
