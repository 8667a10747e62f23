"""Checks the messages on the bus against tests/golden/proto.txt. usage: check_golden.py proto [--update [--accept-wire-break]]"""
import os
import re
import subprocess
import sys
import tempfile

from check_common import ROOT, finish, read, tracked


def golden_lines(name):
    path = os.path.join(ROOT, name)
    return [line for line in read(name).splitlines() if line and not line.startswith("#")] if os.path.exists(path) else []


def write_golden(name, comment, lines):
    with open(os.path.join(ROOT, name), "w", encoding="utf-8") as file:
        file.write(f"# {comment}\n# Written by scripts/check --update; read the difference before you commit it.\n")
        file.writelines(line + "\n" for line in lines)


# The descriptors of all protos, as nested lists of (key, value), from protoc's own text form.

def parse_block(lines):
    fields = []
    for line in lines:
        line = line.strip()
        if line == "}":
            return fields
        if line.endswith("{"):
            fields.append((line[:-1].strip(), parse_block(lines)))
        else:
            key, _, value = line.partition(": ")
            fields.append((key, value.strip('"')))
    return fields


def descriptors():
    protos = [name for name in tracked(".proto") if name.startswith("proto/")]
    with tempfile.NamedTemporaryFile(suffix=".desc") as file:
        subprocess.run(["protoc", "--proto_path=proto", f"--descriptor_set_out={file.name}"] + protos, cwd=ROOT, check=True)
        text = subprocess.run(["protoc", "--decode=google.protobuf.FileDescriptorSet", "google/protobuf/descriptor.proto"],
                              stdin=file, check=True, capture_output=True, text=True).stdout
    return [value for key, value in parse_block(iter(text.splitlines())) if key == "file"]


def one(block, key, default=""):
    return next((value for name, value in block if name == key), default)


def every(block, key):
    return [value for name, value in block if name == key]


def field_line(owner, field):
    kind = one(field, "type_name").lstrip(".") or one(field, "type").removeprefix("TYPE_").lower()
    label = "repeated " if one(field, "label") == "LABEL_REPEATED" else "optional " if one(field, "proto3_optional") else ""
    return f"{owner} {one(field, 'number')} {one(field, 'name')} {label}{kind}"


def reserved_lines(owner, block, offset):
    for area in every(block, "reserved_range"):
        for number in range(int(one(area, "start")), int(one(area, "end")) + offset):
            yield f"{owner} {number} reserved"


def enum_lines(owner, block):
    for value in every(block, "value"):
        yield f"{owner} {one(value, 'number', '0')} {one(value, 'name')} enum"
    yield from reserved_lines(owner, block, 1)


def message_lines(owner, block):
    for field in every(block, "field"):
        yield field_line(owner, field)
    yield from reserved_lines(owner, block, 0)
    for nested in every(block, "nested_type"):
        yield from message_lines(f"{owner}.{one(nested, 'name')}", nested)
    for nested in every(block, "enum_type"):
        yield from enum_lines(f"{owner}.{one(nested, 'name')}", nested)


def rpcs(files):
    """(service, subject, request, reply) of each verb: the rule of proto/rpc_generator.cpp."""
    for file in files:
        _, domain, version = one(file, "package").split(".")
        for service in every(file, "service"):
            name = snake(one(service, "name"))
            for method in every(service, "method"):
                subject = f"tg.{'ctl' if domain == 'control' else 'rpc'}.{name}.{version}.{snake(one(method, 'name'))}"
                yield name, subject, one(method, "input_type").lstrip("."), one(method, "output_type").lstrip(".")


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def proto_lines(files):
    lines = []
    for file in files:
        package = one(file, "package")
        for message in every(file, "message_type"):
            lines += message_lines(f"{package}.{one(message, 'name')}", message)
        for enum in every(file, "enum_type"):
            lines += enum_lines(f"{package}.{one(enum, 'name')}", enum)
    for _, subject, request, reply in rpcs(files):
        lines += [f"{subject} 1 request {request}", f"{subject} 2 reply {reply}"]
    return sorted(lines, key=lambda line: (line.split()[0], int(line.split()[1])))


def proto_rules(files, lines):
    findings = []
    for file in files:
        if not re.fullmatch(r"tollgate\.[a-z]+\.v[0-9]+", one(file, "package")):
            findings.append(f"{one(file, 'name')}: package must be tollgate.<domain>.v<number>")
    for line in lines:
        owner, number, name, *kind = line.split()
        if kind and kind[-1] in ("float", "double"):
            findings.append(f"{owner}.{name}: no {kind[-1]} on the bus, use integers")
        if kind == ["enum"] and number == "0" and not name.endswith("UNSPECIFIED"):
            findings.append(f"{owner}.{name}: the zero value of an enum is UNSPECIFIED")
    return findings


NATS_USERS = "deploy/nats/nats.conf.template"


def matches(pattern, subject):
    pattern, subject = pattern.split("."), subject.split(".")
    for i, token in enumerate(pattern):
        if token == ">":
            return len(subject) > i
        if i >= len(subject) or token not in ("*", subject[i]):
            return False
    return len(pattern) == len(subject)


def nats_users():
    """user -> (subjects it may publish, subjects it may subscribe to)"""
    text = re.sub(r"^\s*#.*$", "", read(NATS_USERS), flags=re.MULTILINE)
    users = {}
    for block in text.split("user: ")[1:]:
        lists = [re.search(rf"{word}: \[([^\]]*)\]", block) for word in ("publish", "subscribe")]
        users[block.split(",")[0]] = [re.findall(r'"([^"]*)"', found[1]) if found else [] for found in lists]
    return users


def rights_findings(files):
    """A verb that its service may not hear, or that nobody may ask, does not work in a deployment."""
    users = nats_users()
    verbs = list(rpcs(files))
    for service, subject, _, _ in verbs:
        if not any(matches(pattern, subject) for pattern in users[service][1]):
            yield f"{NATS_USERS}: user {service} may not subscribe to {subject}"
        if not any(matches(pattern, subject) for name, (publish, _) in users.items() for pattern in publish if name != service):
            yield f"{NATS_USERS}: no user may publish {subject}"
    for name, (publish, _) in users.items():
        for pattern in publish:
            if pattern.startswith(("tg.rpc.", "tg.ctl.")) and not any(matches(pattern, verb[1]) for verb in verbs):
                yield f"{NATS_USERS}: user {name} may publish {pattern}, which is no verb of a proto"


def wire_breaks(old, new):
    """Lines of `old` that a program of the previous version would misread now."""
    now = {tuple(line.split()[:2]): line.split()[2:] for line in new}
    for line in old:
        owner, number, *rest = line.split()
        current = now.get((owner, number))
        if current is None:
            yield f"{owner} {number} ({rest[0]}) was removed: mark the number reserved"
        elif current != rest and current != ["reserved"]:
            yield f"{owner} {number} was '{' '.join(rest)}' and is '{' '.join(current)}': use a new number"


def check_proto(options):
    name = "tests/golden/proto.txt"
    files = descriptors()
    lines = proto_lines(files)
    findings = proto_rules(files, lines) + list(rights_findings(files))
    old = golden_lines(name)
    if "--accept-wire-break" not in options:
        findings += wire_breaks(old, lines)
    if not findings and "--update" in options:
        write_golden(name, "Every field on the bus: message, number, name, type. Numbers and types never change.", lines)
        return 0
    if not findings and lines != old:
        findings = [f"{name}: new: {line}" for line in lines if line not in old] or [f"{name}: not in order"]
        return finish("proto", findings, "Run scripts/check --update proto and commit the list.")
    return finish("proto", findings, "Field numbers and types never change; add new fields instead.")


CHECKS = {"proto": check_proto}

if __name__ == "__main__":
    sys.exit(CHECKS[sys.argv[1]](sys.argv[2:]))
