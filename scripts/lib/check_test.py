"""Tests of the checks themselves: each must find what it looks for."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_golden
import check_links
import check_sources
import tidy_files
import wrap_docs


class WireBreaks(unittest.TestCase):
    OLD = ["p.M 1 a int64", "p.M 2 b repeated p.N", "p.E 0 E_UNSPECIFIED enum"]

    def breaks(self, new):
        return list(check_golden.wire_breaks(self.OLD, new))

    def test_new_fields_are_no_break(self):
        self.assertEqual(self.breaks(self.OLD + ["p.M 3 c string"]), [])

    def test_a_removed_field_is_reserved_or_a_break(self):
        self.assertEqual(len(self.breaks([line for line in self.OLD if " a " not in line])), 1)
        self.assertEqual(self.breaks(["p.M 1 reserved", *self.OLD[1:]]), [])

    def test_another_type_label_or_name_is_a_break(self):
        for changed in ("p.M 2 b p.N", "p.M 2 b repeated p.O", "p.M 2 other repeated p.N"):
            self.assertEqual(len(self.breaks([self.OLD[0], changed, self.OLD[2]])), 1, changed)


class Descriptors(unittest.TestCase):
    TEXT = """file {
  package: "tollgate.x.v1"
  message_type {
    name: "M"
    field { 
      name: "price"
      number: 1
      label: LABEL_OPTIONAL
      type: TYPE_DOUBLE
    }
    reserved_range {
      start: 4
      end: 6
    }
  }
  enum_type {
    name: "E"
    value {
      name: "E_FIRST"
      number: 0
    }
  }
}
"""

    def test_fields_enums_and_reserved_numbers_are_listed_and_checked(self):
        files = [value for key, value in check_golden.parse_block(iter(self.TEXT.splitlines())) if key == "file"]
        lines = check_golden.proto_lines(files)
        self.assertEqual(lines, ["tollgate.x.v1.E 0 E_FIRST enum", "tollgate.x.v1.M 1 price double",
                                 "tollgate.x.v1.M 4 reserved", "tollgate.x.v1.M 5 reserved"])
        rules = check_golden.proto_rules(files, lines)
        self.assertEqual(len(rules), 2, rules)


class Sources(unittest.TestCase):
    def test_words_are_found(self):
        for word in check_sources.UNFINISHED + ["st" + "ub"]:
            self.assertTrue(check_sources.WORDS.search(f"// {word}: later"), word)
        self.assertFalse(check_sources.WORDS.search("config_" + "X" * 6 + " stubborn"))

    def test_private_words_are_found_with_what_to_say(self):
        for text, word in (("no " + "stran" + "gers", "unknown source"), ("the whole " + "sto" + "ry", "record"),
                           ("Cidr" + "Trie t;", "NetworkMap"), ("TEST(Call, EndsWhenA" + "Stran" + "gerAsks)", "unknown source"),
                           ("int last_" + "sto" + "ry;", "record")):
            self.assertEqual(check_sources.private_word(text)[1], word, text)
        self.assertIsNone(check_sources.private_word("a CallHistory of storage, bytes"))

    def test_function_lengths_of_three_languages(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "long.cpp")
            with open(path, "w", encoding="utf-8") as file:
                file.write("TEST(Subject, Does) {\n" + "  int x = 1;\n" * 80 + "}\nint f() {\n  return 1;\n}\n")
            lengths = {name: length for _, _, name, length in check_sources.cpp_functions([path])}
            self.assertEqual(lengths, {"TEST": 82, "f": 3})
            path = os.path.join(folder, "long.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write("def f():\n    a = 1\n    return a\n")
            self.assertEqual([length for *_, length in check_sources.python_functions(path)], [3])
            path = os.path.join(folder, "long.sh")
            with open(path, "w", encoding="utf-8") as file:
                file.write("f() {\n  true\n}\n")
            self.assertEqual([length for *_, length in check_sources.shell_functions(path)], [3])


class Links(unittest.TestCase):
    def found(self, text, name="libs/call/x.hpp"):
        return [finding.split(": ", 1)[1] for finding in check_links.findings_of(name, text)]

    def test_anchors_are_made_as_github_makes_them(self):
        self.assertEqual(check_links.anchors("# The bus: what, when\ntext\n## A-b `c`\n"), {"the-bus-what-when", "a-b-c"})

    def test_statements_are_bold_numbers_and_numbered_headings(self):
        text = "## 2 Trunks\n\n**2.1** A trunk\n\n## 1.3 The timer\ncosts 2.4 and **2.5 more**\n"
        self.assertEqual(check_links.statements(text), {"2", "2.1", "1.3"})
        self.assertEqual(check_links.list_items("1. one\n 2. nested\n12. twelve\n"), {"1", "12"})

    def test_lists_and_ranges_of_numbers_are_taken_apart(self):
        self.assertEqual(list(check_links.numbers("3.1-3.3, 2.15 and 7")), ["3.1", "3.2", "3.3", "2.15", "7"])
        self.assertEqual(list(check_links.numbers("3.1-4.2")), ["3.1-4.2"])

    def test_citations_of_what_exists_pass(self):
        self.assertEqual(self.found('// REQUIREMENTS 2.4, 3.1-3.6 and 7; ARCHITECTURE "The bus"; STYLE 12; libs/sofia/TRAPS.md 1.3\n'), [])
        self.assertEqual(self.found("// Source rows (REQUIREMENTS 2.4,\n// 12.3), and STYLE\n// 40.\n"), [])
        self.assertEqual(self.found("**TRAPS.md 1.3**\n", "libs/sofia/README.md"), [])

    def test_every_citation_of_what_is_not_there_is_found(self):
        for text, count in (("// REQUIREMENTS 2.99", 1), ("// REQUIREMENTS 13", 1), ("// REQUIREMENTS 2.4,\n// 2.99", 1),
                            ("// REQUIREMENTS 12.5-12.9", 3), ('x("REQUIREMENTS 2.99");', 1), ("// STYLE 99", 1),
                            ('// ARCHITECTURE "The\n// train"', 1), ("// libs/sofia/TRAPS.md 1.99", 1),
                            ("// libs/call/TRAPS.md 1.3", 2)):
            self.assertEqual(len(self.found(text)), count, text)

    def test_a_number_without_its_document_is_found(self):
        for text in ("// Requirement 2.4: x", "// requirements 8.1 to 8.3", "// as told (10.6).", "int x;  // 6.7, none",
                     "// LIBRARIES 1.3", "// REQUIREMENTS section 7", '// STYLE "names"'):
            self.assertEqual(len(self.found(text)), 1, text)
        for text in ("// RFC 3261 14.2", "wait(2.5);", "// a quarter (0.25)", "// version 1.12 of it", "// costs 2.4 us"):
            self.assertEqual(self.found(text), [], text)

    def test_paths_in_comments_and_documents_exist(self):
        self.assertEqual(self.found("// libs/call/machine.cpp, `scripts/{up,down}`, services/*/main.cpp, proto/tollgate/<domain>/v1"), [])
        for text in ("// see libs/call/gone.cpp", "// scripts/{up,sideways}", "// services/*/gone.cpp"):
            self.assertEqual(len(self.found(text)), 1, text)
        self.assertEqual(self.found('open("libs/call/gone.cpp");'), [], "a string of code is no reference")
        self.assertEqual(self.found("`auth/authorize` and `auth/gone`\n", "services/README.md"), ["there is no services/auth/gone"])

    def test_markdown_links_lead_somewhere(self):
        self.assertEqual(self.found("[x](../README.md#speed) [y](http://example.org) [z](TRAPS.md)\n", "libs/README.md"),
                         ["TRAPS.md leads nowhere"])
        self.assertEqual(self.found("[x](../README.md#nowhere)\n", "libs/README.md"), ["README.md has no heading #nowhere"])
        self.assertEqual(self.found("```\n[x](gone.md)\n```\n", "libs/README.md"), [])

    def test_tests_that_a_trap_names_exist(self):
        self.assertEqual(self.found("`Pins.AckNeverAborts` `Agent::ack` `Pins.IsGone`\n", "libs/sofia/TRAPS.md"),
                         ["there is no test Pins.IsGone"])

    def test_rules_named_by_the_api_exist(self):
        self.assertEqual(self.found('refuse(400, "x", "y", "2.99");', "services/admin_api/x.cpp"),
                         [check_links.REQUIREMENTS + " has no 2.99"])
        self.assertEqual(self.found('refuse(400, "like \\"12.50\\"", "y", "2.4");', "services/admin_api/x.cpp"), [])


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.git("init", "-q", "-b", "main")
        self.commit("x.cpp", 50)

    def git(self, *words):
        options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
        return subprocess.run(["git", *options, *words], cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, path, lines):
        os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.writelines(f"int f{n}();\n" for n in range(lines))
        self.git("add", "-A")
        self.git("commit", "-qm", path)
        return self.git("rev-parse", "HEAD")

    def test_a_moved_and_changed_source_is_a_changed_one(self):
        os.remove(os.path.join(self.root, "x.cpp"))
        self.commit("libs/a/x.cpp", 51)
        self.assertEqual(tidy_files.changed_lines("HEAD~1", self.root), {"x.cpp": 50, "libs/a/x.cpp": 51})

    def test_a_header_stands_for_its_source(self):
        self.commit("libs/a/x.hpp", 3)
        self.assertEqual(tidy_files.changed_lines("HEAD~1", self.root), {"libs/a/x.cpp": 3})

    def test_the_first_commit_has_nothing_to_compare_with(self):
        self.assertEqual(tidy_files.compared_commit("", self.root)[0], "")

    def test_the_commit_compared_with(self):
        first = self.git("rev-parse", "HEAD")
        second = self.commit("y.cpp", 1)
        third = self.commit("z.cpp", 1)
        self.assertEqual(tidy_files.compared_commit("", self.root), (second, "the commit before HEAD"))
        self.git("tag", "v2")  # of HEAD: nothing has changed since
        self.git("tag", "v1", first)
        self.assertEqual(tidy_files.compared_commit("", self.root), (first, "the newest tag, v1"))
        self.git("update-ref", "refs/remotes/origin/main", third)
        self.assertEqual(tidy_files.compared_commit("", self.root), (first, "the newest tag, v1"))
        self.git("update-ref", "refs/remotes/origin/main", second)
        self.assertEqual(tidy_files.compared_commit("", self.root), (second, "where HEAD left origin/main"))
        self.assertEqual(tidy_files.compared_commit(first, self.root), (first, f"TOLLGATE_TIDY_BASE={first}"))
        self.assertEqual(tidy_files.compared_commit("v9", self.root), ("", "TOLLGATE_TIDY_BASE=v9"))


class Wrapping(unittest.TestCase):
    def test_long_lines_flow_into_their_paragraph_only(self):
        word = "abcdefghi "
        text = "- " + word * 20 + "\n  tail\n- next\n\n| " + word * 20 + "|\n"
        lines = wrap_docs.wrapped(text).split("\n")
        self.assertLessEqual(max(len(line) for line in lines[:3]), check_sources.COLUMNS_MAX)
        self.assertEqual(lines[1][:3], "  a")
        self.assertTrue(lines[1].endswith("tail"), lines[1])
        self.assertEqual(lines[2], "- next")
        self.assertEqual(" ".join(wrap_docs.wrapped(text).split()), " ".join(text.split()))


if __name__ == "__main__":
    unittest.main(verbosity=0)
