"""300 hostile files: each is taken or refused as the table says, none breaks its reader's limits, each has its words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from chassis.wording import Messages
from crm_import.reading.split import Cut
from crm_import.reading.tables import Layout

hostile = import_module("services.import.tests.hostile")  # a keyword of Python stands in the way
SAMPLES = hostile.samples()
# What a reader may hold, and what any of these may make it hold.
MEMORY, MOST_HELD = 1024**3, 256 * 1024**2
LAYOUT = asdict(Layout(""))


def _read(folder: Path, names: list[str]) -> Iterator[tuple[str, tuple[str, dict[str, Any], int]]]:
    """As an upload and a start do: preview, then split as it was previewed."""
    command = [sys.executable, Path(__file__).parent / "reading_many.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:

        def ask(**order: Any) -> tuple[dict[str, Any], int]:
            assert reader.stdin is not None
            assert reader.stdout is not None
            limits = {"memory_bytes": MEMORY, "cpu_seconds": 30}
            print(json.dumps(order | limits), file=reader.stdin, flush=True)
            told = json.loads(reader.stdout.readline())
            # What process.py makes of a reader that broke down.
            last = json.loads(told["answers"][-1]) if told["status"] == 0 and told["answers"] else {}
            is_broken = told["status"] != 0 or "failed" in last
            return ({"refused": "file_unreadable", "parameters": {}} if is_broken else last), told["bytes"]

        path = folder / names[0].replace(":", "")
        for name in names:
            path.write_bytes(SAMPLES[name].content)
            read = {"path": str(path), "file_name": SAMPLES[name].file_name}
            answer, used = ask(verb="preview", kind="customers", custom=[], layout=LAYOUT, header_row=None, **read)
            if "refused" not in answer:
                columns = [column["index"] for column in answer["columns"]]
                layout = {key: answer.get(key) for key in LAYOUT}
                cut = Cut(answer["header_row"], columns[0], columns[-1], {}, {}, None, [], 1000, 500, 1024**2)
                answer, more = ask(verb="split", layout=layout, cut=asdict(cut), folder=str(folder), **read)
                used = max(used, more)
            yield name, (answer.get("refused", ""), answer.get("parameters", {}), used)


def test_there_are_300_and_they_are_always_the_same() -> None:
    assert len(SAMPLES) >= 300
    assert hostile.samples() == SAMPLES


def test_each_is_taken_or_refused_with_what_to_do_and_none_makes_its_reader_hold_much(tmp_path: Path) -> None:
    names = list(SAMPLES)
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda start: list(_read(tmp_path, names[start::2])), range(2))
        verdicts = dict(verdict for part in parts for verdict in part)

    assert {name: code for name, (code, *_) in verdicts.items()} == {name: one.code for name, one in SAMPLES.items()}
    assert {name: held for name, (_, _, held) in verdicts.items() if held > MOST_HELD} == {}
    messages = Messages(["crm_import"])
    for code, parameters in {code: parameters for code, parameters, _ in verdicts.values() if code}.items():
        zh, en = (messages.text(code, language, parameters) for language in ("zh", "en"))
        assert "{" not in zh + en
        assert any(remedy in zh for remedy in ("请", "最多", "只能")), zh
        assert any(remedy in en.lower() for remedy in ("please", "at most", "only", ";")), en
