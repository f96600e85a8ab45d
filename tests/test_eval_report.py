"""What is told of evaluations: lists and tables, a case in full, JSON, JUnit XML, the page."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from punie_cli.evals import comparison_record, report_record
from punie_cli.evaluation import junit, report, results
from punie_cli.evaluation.results import EvalRun, Verdict
from punie_cli.evaluation.transcript import cut, plain_text
from tests.command_line import punie
from tests.evals import HOSTILE, case_run, eval_run, passes

DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


def two_runs() -> list[EvalRun]:
    """The base fails two of three cases; the adapter one, another suite it has alone."""
    first = eval_run(passes("+--", diff=DIFF))
    other = eval_run(
        [*passes("-++"), case_run("alone", suite="phase23", group="")], "e0002", adapter="phase-24", phase=24
    )
    return [first, other]


@pytest.fixture
def stored(punie_home: Path) -> list[EvalRun]:
    return [results.save(run) for run in two_runs()]


# In the terminal


def test_the_list(stored: list[EvalRun]) -> None:
    ran = punie("eval", "list")
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout == (
        "e0002\t2026-11-25 10:00\tsmall + phase-24\tcore, phase23\t3/4\t75%\n"
        "e0001\t2026-11-25 10:00\tsmall\tcore\t1/3\t33%\n"
    )
    listed = json.loads(punie("eval", "list", "--json").stdout)
    assert [(each["id"], each["label"], each["scores"]["parts"]["whole"]["share"]) for each in listed] == [
        ("e0002", "small + phase-24", 0.75),
        ("e0001", "small", 0.3333),
    ]


def test_nothing_to_list() -> None:
    ran = punie("eval", "list")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "no evaluations yet; `punie eval` makes one\n")


def test_a_run(stored: list[EvalRun]) -> None:
    ran = punie("eval", "show", "e0001")
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-3:] == [
        "core/c0\tfix\tpass\tok\tok\tok\t2\t1.5",
        "core/c1\tfix\tFAIL\tok\tok\tno\t2\t1.5\tthe answer does not state 3",
        "core/c2\tfix\tFAIL\tok\tok\tno\t2\t1.5\tthe answer does not state 3",
    ]
    shown = json.loads(punie("eval", "show", "24", "--json").stdout)
    assert (shown["id"], [case["passed"] for case in shown["cases"]]) == ("e0002", [False, True, True, True])


def test_a_case_in_full(stored: list[EvalRun]) -> None:
    ran = punie("eval", "show", "e0001", "--case", "core/c1")
    assert (ran.code, ran.stderr) == (0, "")
    assert (
        ran.stdout
        == f"""core/c1: failed
calls   ok
files   ok
answer  the answer does not state 3
cost    2 steps, 400 tokens read, 40 written, 1.5 s

> how many type errors are in shop/cart.py?
│ print(len(typecheck("shop/cart.py").errors))
• typecheck(path='shop/cart.py') → error count 3
  3

There are 3 type errors.

{DIFF}"""
    )
    (shown,) = json.loads(punie("eval", "show", "e0001", "--case", "c1", "--json").stdout)
    assert (shown["case"], shown["records"][2]["type"], shown["diff"]) == ("c1", "program", DIFF)


def test_a_case_of_several_turns_samples_and_troubles() -> None:
    case = case_run("talk", prompts=("look", "mend it"), sample=1, fields_asked=True, fields=False)
    refused = {"type": "approval", "builtin": "write_file", "args": {}, "decision": "refused", "by": "no-terminal"}
    output = {"type": "output", "text": "", "error": {"kind": "NameError", "message": "x", "line": 2}}
    records = (*case.records[:-2], refused, output | {"truncated": False}, case.records[-1] | {"finish": "length"})
    error = {"type": "error", "exit": 75, "message": "busy", "hint": None}
    assert plain_text(case.model_copy(update={"records": (*records, error)})).splitlines() == [
        "> look",
        '│ print(len(typecheck("shop/cart.py").errors))',
        "• typecheck(path='shop/cart.py') → error count 3",
        "  3",
        "There are 3 type errors.",
        "> mend it",
        '│ print(len(typecheck("shop/cart.py").errors))',
        "• typecheck(path='shop/cart.py') → error count 3",
        "write_file was refused: nobody was there to be asked",
        "  NameError: x (line 2)",
        "There are 3 type errors.",
        "(ended by length)",
        "busy",
    ]


def test_a_comparison(stored: list[EvalRun]) -> None:
    ran = punie("eval", "compare", "e0001", "phase-24")
    assert ran.code == 0
    assert ran.stderr == "e0002: 1 case left out: phase23 was run in e0002 only\n"
    assert ran.stdout == (
        "e0001\tsmall\t3\t\t33.3%\n"
        "e0002\tsmall + phase-24\t3\t33.3%\t66.7%\t+33.3\t−58.5 to +87.7\t1.000\tno difference seen\n"
        "\n"
        "points by part and suite\n"
        "whole\t+33.3 (−58.5 to +87.7)\n"
        "calls\t+0.0 (−56.1 to +56.1)\n"
        "files\t+0.0 (−56.1 to +56.1)\n"
        "answer\t+33.3 (−58.5 to +87.7)\n"
        "\n"
        "what differs\n"
        "adapter\t-\tphase-24\n"
        "phase\t-\t24\n"
        f"suite phase23\t-\t{'ef' * 8}\n"
        "\n"
        "cases that changed\n"
        "e0002\tbetter\tcore/c1\t0%\t100%\tthe answer does not state 3\n"
        "e0002\tbetter\tcore/c2\t0%\t100%\tthe answer does not state 3\n"
        "e0002\tworse\tcore/c0\t100%\t0%\tthe answer does not state 3\n"
    )
    # The label of the base is also the model of what was trained on it.
    (found,) = json.loads(punie("eval", "compare", "small", "last", "--json").stdout)["comparisons"]
    assert (found["n"], found["difference"], found["verdict"]) == (3, 0.3333, "no difference seen")
    assert [change["case"] for change in found["lost"]] == ["c0"]


def test_the_comparison_of_the_docs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    (shown,) = [json.loads(line) for line in page.splitlines() if line.startswith('{"a": ')]
    a, b = eval_run(passes("+" * 12 + "-" * 8)), eval_run(passes("+" * 10 + "--" + "+" * 6 + "--"), "e0002")
    (found,) = comparison_record([a, b])["comparisons"]
    assert {name: found[name] for name in shown} == shown


def test_reports_in_all_forms(stored: list[EvalRun], tmp_path: Path) -> None:
    html, xml = tmp_path / "page.html", tmp_path / "junit.xml"
    ran = punie("eval", "report", "e0001", "e0002", "--html", str(html), "--junit", str(xml), "--json")
    assert (ran.code, ran.stderr) == (0, f"{html}\n{xml}\n")
    told = json.loads(ran.stdout)
    assert [len(run["cases"]) for run in told["runs"]] == [3, 4] and len(told["comparisons"]) == 1
    assert told["runs"][0]["cases"][0]["records"][2]["type"] == "program"
    assert html.read_text() == report.page(stored) and ET.fromstring(xml.read_bytes()).tag == "testsuites"
    plain = punie("eval", "report", "e0001")
    assert plain.stdout.splitlines()[-3:] == [
        "e0001: cases that failed",
        "core/c1\tfix\tFAIL\tok\tok\tno\t2\t1.5\tthe answer does not state 3",
        "core/c2\tfix\tFAIL\tok\tok\tno\t2\t1.5\tthe answer does not state 3",
    ]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("show", "e0009"), 3, "no evaluation 'e0009': did you mean e0002 or e0001?"),
        (("show", "e0001", "--case", "c22"), 3, "e0001 has no case 'c22'; did you mean c2?"),
        (("compare", "last", "24"), 2, "'last' and '24' both mean e0002"),
        (("compare", "e0001"), 2, "compare needs two evaluations or more"),
        (("report", "e0001", "--html", "/no/x.html"), 2, "/no/x.html cannot be written: No such file or directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown(stored: list[EvalRun], args: tuple[str, ...], code: int, message: str) -> None:
    ran = punie("eval", *args)
    assert (ran.code, ran.stdout, ran.stderr.splitlines()[0]) == (code, "", f"Error: {message}")


# JUnit


def test_junit() -> None:
    run = eval_run([*passes("+-", diff=DIFF), case_run("alone", suite="phase23", group="")], samples=2)
    root = ET.fromstring(junit.xml([run, run]))
    assert root.attrib == {"name": "punie eval", "tests": "6", "failures": "2", "errors": "0", "time": "9.000"}
    suite = root[0]
    assert suite.attrib == {
        "name": "e0001 small: core", "tests": "2", "failures": "1", "errors": "0", "skipped": "0", "time": "3.000",
        "timestamp": "2026-11-25T10:00:00",
    }  # fmt: skip
    assert {each.get("name"): each.get("value") for each in suite[0]}["weights"] == "ab" * 32
    assert [each.tag for each in suite] == ["properties", "testcase", "testcase"]
    failed = suite[2]
    assert failed.attrib == {"name": "c1 #1", "classname": "core.fix", "time": "1.500"}
    assert [each.tag for each in failed] == ["failure", "system-out"]
    assert failed[0].attrib == {"message": "the answer does not state 3", "type": "answer"}
    assert failed[0].text == f"the answer does not state 3\n{DIFF}"
    assert root[1][1].get("classname") == "phase23"


@given(st.text())
@example(HOSTILE)
@example("\ufffe\uffff")
def test_whatever_a_model_writes_is_valid_xml(text: str) -> None:
    part = Verdict(ok=False, reason=text)
    case = case_run("c", False, prompts=(text,), code=text, answer=text, diff=text)
    root = ET.fromstring(junit.xml([eval_run([case.model_copy(update={"reason": text, "answer": part})], model=text)]))
    assert len(root.findall(".//failure")) == 1


# The page


class Page(HTMLParser):
    """Counts elements, and keeps what is open and what could load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.loads: list[str] = []
        self.cases: list[tuple[str | None, bool]] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        found = dict(attrs)
        self.loads += [name for name in found if name in ("src", "srcset", "data", "action") or name.startswith("on")]
        if tag == "a":
            assert (found["href"] or "").startswith("#case-")
        if found.get("class") == "case":
            self.cases.append((found["data-verdict"], "open" in found))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""


def test_the_page() -> None:
    text = report.page(two_runs())
    page = Page(text)
    assert page.loads == [] and re.findall(r"url\(|@import|https?:", text) == []
    assert page.cases == [
        ("failed differs", True), ("failed differs", True), ("failed differs", True), ("passed", False),
    ]  # fmt: skip
    assert (page.counts["script"], page.counts["h1"], page.counts["section"]) == (1, 1, 2)
    assert "prefers-color-scheme: dark" in text and '<form class="filter" hidden>' in text


def test_the_page_allows_its_own_script_alone() -> None:
    text = report.page(two_runs())
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in Page(text).policy and f"script-src 'sha256-{digest}'" in Page(text).policy


def test_what_a_model_wrote_is_escaped() -> None:
    part = Verdict(ok=False, reason=HOSTILE)
    case = case_run("c", False, prompts=(HOSTILE,), code=HOSTILE, answer=HOSTILE, diff=f"+{HOSTILE}\n")
    call = case.records[3] | {"args": {"path": HOSTILE}, "result": HOSTILE}
    records = (*case.records[:3], call, *case.records[4:])
    case = case.model_copy(update={"reason": HOSTILE, "answer": part, "records": records})
    calm = case_run("c", False, diff="+x\n")
    text = report.page([eval_run([case], model=HOSTILE), eval_run([case_run("c")], "e0002")])
    assert Page(text).counts["script"] == 1 and "img" not in Page(text).counts and Page(text).loads == []
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    plain = Page(report.page([eval_run([calm], model="calm"), eval_run([case_run("c")], "e0002")]))
    assert Page(text).counts | {"span": 0} == plain.counts | {"span": 0}


@given(st.text(max_size=80))
def test_highlighted_code_is_its_code(code: str) -> None:
    class Text(HTMLParser):
        said = ""

        def handle_data(self, data: str) -> None:
            self.said += data

    code = code.replace("\r", "\n")
    parser = Text()
    parser.feed(str(report.highlighted(code)))
    parser.close()
    assert parser.said == code.removeprefix("\ufeff")


def test_highlighting() -> None:
    assert str(report.highlighted('def f(): # "x"\n    return "<" + 1\n')) == (
        '<span class="k">def </span><span class="f">f</span>(): <span class="c"># &#34;x&#34;\n    </span>'
        '<span class="k">return </span><span class="s">&#34;&lt;&#34; </span>+ <span class="m">1\n</span>'
    )


def test_a_page_stays_small() -> None:
    """100 cases in three runs, with programs, outputs and results at the length of long ones."""
    code = 'for error in typecheck("src").errors:\n    print(error.path, error.line, error.message)\n' * 12
    cases = [case_run(f"c{n}", n % 3 == 0, code=code, answer="word " * 200, diff=DIFF * 10) for n in range(100)]
    page = report.page([eval_run(cases, f"e000{n}") for n in (1, 2, 3)])
    assert 500_000 < len(page.encode()) < 3_000_000


def test_long_texts_are_cut_in_their_middle() -> None:
    assert cut("a" * 10, 10) == "a" * 10
    assert cut("a" * 5 + "b" * 90 + "c" * 5, 10) == "aaaaa\n… 90 characters …\nccccc"


def test_samples_and_an_unfinished_run_are_told() -> None:
    cases = [case_run("c", n == 0, sample=n) for n in range(2)]
    text = report.page([eval_run(cases, finished=None, of=6)])
    assert "unfinished: 2 of 6 tries" in text and "pass^2" in text and "✗ 1/2" in text and "sample 2" in text


def test_runs_without_a_case_in_common_are_shown_and_not_compared() -> None:
    runs = [*two_runs(), eval_run(passes("+", suite="hard"), "e0003")]
    apart = report.page([runs[0], runs[2]])
    assert "Compared with A" not in apart and len(Page(apart).cases) == 4
    assert "Compared with A" in report.page([runs[0], runs[2], runs[1]])
    assert [each["b"] for each in report_record([runs[0], runs[2], runs[1]])["comparisons"]] == ["e0002"]


def test_a_run_without_cases_has_a_page() -> None:
    assert Page(report.page([eval_run([])])).cases == []


def luminance(colour: str) -> float:
    """Relative luminance by WCAG."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_have_contrast() -> None:
    """WCAG AA, light and dark: text 4.5 to 1 on what it stands on, bars and their intervals 3 to 1."""
    text = report.page([eval_run(passes("+"))])
    light, dark = (dict(re.findall(r"--(\w+): (#\w+);", part)) for part in text.split("@media (prefers-color")[:2])
    words = ("ink", "soft", "good", "bad", "word", "string", "number", "name")
    pairs = [*product(words, ("page", "block")), ("good", "add"), ("bad", "del")]
    for colours in (light, dark):
        for one, other in pairs:
            a, b = sorted((luminance(colours[one]), luminance(colours[other])))
            assert (b + 0.05) / (a + 0.05) >= 4.5, (one, other, colours[one], colours[other])
        for run, other in product(range(6), ("page", "ink")):
            a, b = sorted((luminance(colours[f"run{run}"]), luminance(colours[other])))
            assert (b + 0.05) / (a + 0.05) >= 3, (run, other)


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    """Its policy lets its script run: the filter is there and counts the cases; the anchor opens a case that passed."""
    page = report.write_page(two_runs(), tmp_path / "page.html")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    ran = subprocess.run([*command, "--dump-dom", f"file://{page}#case-3"], capture_output=True, text=True, timeout=120)
    assert "<output>4 of 4 cases</output>" in ran.stdout
    assert '<form class="filter">' in ran.stdout
    assert re.search(r'id="case-3"[^>]* open=""', ran.stdout)
