"""Wraps lines of tracked Markdown files that are over the limit: the words that do not fit open the next line of the paragraph."""
import os
import re

from check_common import ROOT, read, tracked
from check_sources import COLUMNS_MAX

NEW_BLOCK = re.compile(r"^\s*([-*+]\s|\d+[.)]\s|#|\||>|```|$)")


def wrapped(text):
    lines = text.split("\n")
    done = []
    is_code = False
    while lines:
        line = lines.pop(0)
        if line.lstrip().startswith("```"):
            is_code = not is_code
        space = line.rfind(" ", 0, COLUMNS_MAX + 1)
        marker = re.match(r"^(\s*)([-*+]\s+|\d+[.)]\s+)?", line)
        indent = " " * len(marker.group(0))
        if is_code or len(line) <= COLUMNS_MAX or line.lstrip().startswith(("|", "#")) or "://" in line or space <= len(indent):
            done.append(line)
            continue
        done.append(line[:space].rstrip())
        rest = indent + line[space + 1:]
        if lines and not NEW_BLOCK.match(lines[0]):
            rest += " " + lines.pop(0).lstrip()
        lines.insert(0, rest)
    return "\n".join(done)


if __name__ == "__main__":
    for name in tracked(".md"):
        before = read(name)
        after = wrapped(before)
        if after != before:
            with open(os.path.join(ROOT, name), "w", encoding="utf-8") as file:
                file.write(after)
            print(f"wrapped {name}")
