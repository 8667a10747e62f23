"""The check "links": a reference that a reader cannot open is an error. Covers Markdown links with their anchors, the citations of
REQUIREMENTS, ARCHITECTURE, STYLE and TRAPS.md anywhere in the tree, the paths named in comments and in documents, and the tests that a
TRAPS.md names."""
import functools
import glob
import itertools
import os
import re

from check_common import ROOT, finish, is_script, read, tracked

REQUIREMENTS = "services/REQUIREMENTS.md"
ARCHITECTURE = "services/ARCHITECTURE.md"
STYLE = "scripts/STYLE.md"
# These hold citations as examples, of rules that do not exist too.
EXEMPT = {"scripts/lib/check_links.py", "scripts/lib/check_test.py"}

# Words of a citation may stand on two lines of a comment.
GAP = r"(?:[ ]|[ ]*\n[ \t]*(?://|#|--|>)?[ \t]*)"
NUMBER = r"\d{1,2}(?:\.\d{1,2})?(?![\d.]*\d)"
LIST = rf"{NUMBER}(?:(?:-|,{GAP}|{GAP}and{GAP}){NUMBER})*"
CITED_REQUIREMENTS = re.compile(rf"\bREQUIREMENTS{GAP}({LIST})")
CITED_STYLE = re.compile(rf"\bSTYLE{GAP}({LIST})")
CITED_ARCHITECTURE = re.compile(rf'\bARCHITECTURE,?{GAP}"([^"]+)"')
CITED_TRAPS = re.compile(rf"([\w/]*\bTRAPS\.md){GAP}({LIST})")
# How a rule must not be cited: nobody can tell which document is meant.
CHAPTER = r"(?:[1-9]|1[0-2])\.[1-9]\d?"
UNCLEAR = re.compile(
    rf"\b[Rr]equirements?{GAP}(?:section{GAP})?\d[\d.]*|\bREQUIREMENTS{GAP}section|\b(?:REQUIREMENTS|STYLE){GAP}\"[A-Za-z]"
    rf"|\bLIBRARIES\b(?:{GAP}\d[\d.]*)?"
    rf"|(?<![\w)])\({CHAPTER}(?:, ?{CHAPTER})*\)|(?://|(?<!#)#|--) {CHAPTER}(?=[,:;.]? |[,:;.]?$)", re.MULTILINE)
# In these the numbers are the document's own.
NUMBERED = (REQUIREMENTS, "TRAPS.md")
# Rules that the API names in its refusals and descriptions.
API_RULE = re.compile(r'"(\d{1,2}\.\d{1,2})"')

TOP = "libs|services|proto|scripts|deploy|tests"
SERVICE = "ingress|auth|routing|billing|admin_api"
PATH = re.compile(rf"(?<![\w/.@$-])((?:{TOP})/[\w./*{{}},<>@-]*)")
SERVICE_PATH = re.compile(rf"`((?:{SERVICE})/[\w./*{{}},<>@-]*)`")
# A trap names the test that keeps it closed.
TEST = re.compile(r"`([A-Z]\w+\.[A-Z]\w+)`")
COMMENT = {".hpp": "//", ".cpp": "//", ".proto": "//", ".py": "#", ".cmake": "#", ".txt": "#", ".sh": "#", ".sql": "--", ".lua": "--"}
TEXT = tuple(COMMENT) + (".md", ".template", ".in", ".yaml", ".yml", ".json")


def anchors(text):
    """Anchors of the headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


def statements(text):
    """Numbers that can be cited: **2.4** and numbered headings, and the items of numbered lists that begin a line."""
    return set(re.findall(r"^(?:\*\*|#+ )(\d+(?:\.\d+)?)(?:\*\*)? ", text, re.MULTILINE))


def list_items(text):
    return set(re.findall(r"^(\d+)\. ", text, re.MULTILINE))


def headings(text):
    return set(re.findall(r"^#+ (.*)$", text, re.MULTILINE))


def numbers(cited):
    """'3.1-3.3, 2.15' -> 3.1, 3.2, 3.3, 2.15."""
    for part in re.findall(rf"({NUMBER})(?:-({NUMBER}))?", cited):
        first, last = part
        if not last:
            yield first
            continue
        chapter, _, begin = first.rpartition(".")
        end_chapter, _, end = last.rpartition(".")
        if chapter != end_chapter or int(end) < int(begin):
            yield f"{first}-{last}"
            continue
        for number in range(int(begin), int(end) + 1):
            yield f"{chapter}.{number}" if chapter else str(number)


@functools.lru_cache(maxsize=None)
def known(document, kind):
    return kind(read(document)) if os.path.exists(os.path.join(ROOT, document)) else set()


def traps_document(name, cited):
    """`TRAPS.md 1.3` means the one in the folder of the file that cites it."""
    return cited if "/" in cited else os.path.normpath(os.path.join(os.path.dirname(name), cited))


def citation_findings(name, text):
    """(offset, what is wrong) of every citation in a file's text."""
    for pattern, document, kind in ((CITED_REQUIREMENTS, REQUIREMENTS, statements), (CITED_STYLE, STYLE, list_items)):
        for match in pattern.finditer(text):
            for number in numbers(match.group(1)):
                if number not in known(document, kind):
                    yield match.start(), f"{document} has no {number}"
    for match in CITED_ARCHITECTURE.finditer(text):
        heading = re.sub(GAP, " ", match.group(1))
        if heading not in known(ARCHITECTURE, headings):
            yield match.start(), f'{ARCHITECTURE} has no heading "{heading}"'
    for match in CITED_TRAPS.finditer(text):
        document = traps_document(name, match.group(1))
        for number in numbers(match.group(2)):
            if number not in known(document, statements):
                yield match.start(), f"{document} has no {number}"
    cited = [match.span() for pattern in (CITED_REQUIREMENTS, CITED_STYLE, CITED_TRAPS) for match in pattern.finditer(text)]
    for match in () if name.endswith(NUMBERED) else UNCLEAR.finditer(text):
        if any(begin <= match.start() < end for begin, end in cited):
            continue  # the second line of a list of numbers
        yield match.start(), f"'{match.group(0)}' names no document; write REQUIREMENTS 2.4, ARCHITECTURE \"The bus\", STYLE 12, " \
                             "libs/sofia/TRAPS.md 1.3"


def is_there(path):
    """Braces and stars are expanded; every alternative must exist. A name in angle brackets stands for many."""
    if re.search(r"[<>@]", path) or path.count("{") != path.count("}"):
        return True
    parts = [part.split(",") if index % 2 else [part] for index, part in enumerate(re.split(r"[{}]", path))]
    for choice in itertools.product(*parts):
        whole = os.path.join(ROOT, "".join(choice))
        if not (glob.glob(whole) or (not os.path.splitext(whole)[1] and glob.glob(whole + ".*"))):
            return False
    return True


def prose(name, text):
    """The text with everything but prose blanked: comments of code, documents without their code blocks."""
    suffix = os.path.splitext(name)[1]
    if suffix == ".md":
        return re.sub(r"```.*?```", lambda match: re.sub(r"[^\n]", " ", match.group(0)), text, flags=re.DOTALL)
    mark = COMMENT.get(suffix, "#")
    kept = []
    for line in text.split("\n"):
        at = line.find(mark)
        while at > 0 and not line[at - 1].isspace():  # "http://", "a#b"
            at = line.find(mark, at + 1)
        kept.append(" " * at + line[at:] if at >= 0 else "")
    return "\n".join(kept)


def path_findings(name, text):
    for match in PATH.finditer(text):
        path = match.group(1).rstrip(".,-")
        if not is_there(path) and not is_there(os.path.join(os.path.dirname(name), path)):
            yield match.start(), f"there is no {path}"
    for match in SERVICE_PATH.finditer(text):
        if not is_there("services/" + match.group(1)):
            yield match.start(), f"there is no services/{match.group(1)}"


def markdown_findings(name, text):
    for match in re.finditer(r"\]\(([^)\s]+)\)", text):
        target = match.group(1)
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        if full.startswith("..") or not os.path.exists(os.path.join(ROOT, full)):
            yield match.start(), f"{target} leads nowhere"
        elif anchor and full.endswith(".md") and anchor not in anchors(read(full)):
            yield match.start(), f"{full} has no heading #{anchor}"


def api_findings(text):
    for match in API_RULE.finditer(text):
        if match.group(1) not in known(REQUIREMENTS, statements):
            yield match.start(), f"{REQUIREMENTS} has no {match.group(1)}"


@functools.lru_cache(maxsize=None)
def tests():
    """Suite.Name of every GoogleTest test."""
    return {f"{suite}.{test}" for name in tracked("_test.cpp")
            for suite, test in re.findall(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", read(name), re.MULTILINE)}


def test_findings(text):
    for match in TEST.finditer(text):
        if match.group(1) not in tests():
            yield match.start(), f"there is no test {match.group(1)}"


def findings_of(name, text):
    """Every finding of one file as 'file:line: what'."""
    written = prose(name, text)
    # An answer to an API user may cite a rule too, so citations are looked for in the whole of a source.
    found = list(citation_findings(name, written if name.endswith(".md") else text))
    found += path_findings(name, written)
    if name.endswith(".md"):
        found += markdown_findings(name, written)
    if name.endswith("TRAPS.md"):
        found += test_findings(written)
    if name.startswith("services/admin_api/") and name.endswith(".cpp") and not name.endswith("_test.cpp"):
        found += api_findings(text)
    return [f"{name}:{text.count(chr(10), 0, at) + 1}: {what}" for at, what in sorted(found)]


def check_links():
    findings = []
    for name in tracked():
        if name not in EXEMPT and (name.endswith(TEXT) or is_script(name)):
            findings += findings_of(name, read(name))
    return finish("links", findings, "Correct the reference, or write what it refers to.")
