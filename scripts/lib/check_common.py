"""What the checks share: the tracked files and how they report findings."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tracked(*suffixes):
    """Tracked files that exist, relative to the root; all of them, or those with one of the suffixes."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    names = [name for name in listed.split("\0") if name and os.path.isfile(os.path.join(ROOT, name))]
    return [name for name in names if not suffixes or name.endswith(suffixes)]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_script(name):
    """A file without a suffix that begins with #!."""
    base = os.path.basename(name)
    if "." in base:
        return False
    with open(os.path.join(ROOT, name), "rb") as file:
        return file.read(2) == b"#!"


def finish(check, findings, advice):
    """Prints findings and what to do; the exit code."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"{check}: {len(findings)} found. {advice}", file=sys.stdout)
    return 1 if findings else 0
