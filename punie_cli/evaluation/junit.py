"""Evaluations as JUnit XML, for what shows test results: a test suite for each run and suite, a test case for each try.

junit.write([results.resolve("last")], Path("junit.xml"))
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from punie_cli.approvals import visible
from punie_cli.evaluation.results import CaseRun, EvalRun
from punie_cli.evaluation.transcript import plain_text

# The two characters besides control characters that no XML may hold.
_NO_XML = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


def write(runs: Sequence[EvalRun], path: Path) -> Path:
    """Write the document of these runs."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(xml(runs), encoding="utf-8")
    part.replace(path)
    return path


def xml(runs: Sequence[EvalRun]) -> str:
    """One document. What a case's model and programs said is in `system-out`, what was missing in `failure`."""
    root = ET.Element("testsuites", name="punie eval")
    for run in runs:
        for suite in dict.fromkeys(case.suite for case in run.cases):
            root.append(_suite(run, suite, [case for case in run.cases if case.suite == suite]))
    counts = ("tests", "failures", "errors")
    root.attrib |= {name: str(sum(int(suite.get(name, 0)) for suite in root)) for name in counts}
    root.set("time", f"{sum(case.seconds for run in runs for case in run.cases):.3f}")
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode").translate(_NO_XML)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(run: EvalRun, name: str, cases: Sequence[CaseRun]) -> ET.Element:
    failed = sum(not case.passed for case in cases)
    suite = _element("testsuite", name=f"{run.id} {run.subject.label}: {name}", tests=str(len(cases)))
    suite.attrib |= {"failures": str(failed), "errors": "0", "skipped": "0"}
    suite.attrib |= {"time": f"{sum(case.seconds for case in cases):.3f}", "timestamp": run.started[:19]}
    properties = ET.SubElement(suite, "properties")
    facts = run.subject.model_dump() | {"suite_hash": run.suite_hashes.get(name)}
    facts |= {"samples": run.samples, "temperature": run.temperature}
    for key, value in facts.items():
        if value is not None:
            properties.append(_element("property", name=key, value=str(value)))
    suite.extend(_case(run, case) for case in cases)
    return suite


def _case(run: EvalRun, case: CaseRun) -> ET.Element:
    name = f"{case.case} #{case.sample + 1}" if run.samples > 1 else case.case
    place = f"{case.suite}.{case.group}" if case.group else case.suite
    found = _element("testcase", name=name, classname=place, time=f"{case.seconds:.3f}")
    if not case.passed:
        failure = _element("failure", message=case.reason, type=" ".join(_missed(case)))
        failure.text = visible("\n".join([case.reason, *filter(None, [case.diff])]))
        found.append(failure)
    ET.SubElement(found, "system-out").text = plain_text(case)
    return found


def _missed(case: CaseRun) -> list[str]:
    return [name for name in ("calls", "files", "answer") if not getattr(case, name).ok]


def _element(tag: str, **attributes: str) -> ET.Element:
    return ET.Element(tag, {name: _line(value) for name, value in attributes.items()})


def _line(text: str) -> str:
    # A line end in an attribute is read back as a space.
    return visible(text).replace("\n", " ").replace("\t", " ")
