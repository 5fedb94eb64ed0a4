"""Rows by column: whatever is said of a column at once is what would be said of its cells one by one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_import.chunks.model import Chunk
from crm_import.chunks.rules import read_chunk
from crm_import.kinds.kind import Form
from crm_import.mapping.forms import DigitsLost, Typing
from crm_import.mapping.rules import match_key, match_keys
from crm_import.reading.cells import BETWEEN_CELLS, BETWEEN_COLUMNS, MAX_CELL_CHARACTERS, text_of, texts_of
from crm_import.reading.split import Cut, chunk_file, split
from crm_import.reading.tables import Layout

SETTINGS = settings(max_examples=300, derandomize=True, database=None)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(" '=\u3000\u200b\t\n\\\"Σİａ甲", max_size=6),
    st.from_regex(r"(\+86 ?)?1[0-9]{10}(\.0)?|1\.38[0-9]{0,8}E\+10|[0-9０-９]{0,12}", fullmatch=True),
)
VALUES = st.one_of(TEXTS, st.floats(allow_nan=False), st.booleans(), st.just("甲" * (MAX_CELL_CHARACTERS + 1)))


@SETTINGS
@given(st.lists(VALUES, max_size=6))
def test_texts_of_a_column_are_those_of_its_values(values: list[object]) -> None:
    assert texts_of(values) == [text_of(value) for value in values]


@SETTINGS
@given(st.lists(VALUES, max_size=6))
def test_no_text_holds_what_stands_between_the_texts_of_a_chunk(values: list[object]) -> None:
    assert not {BETWEEN_CELLS, BETWEEN_COLUMNS} & set(
        "".join(texts_of([*values, f"甲{BETWEEN_CELLS}{BETWEEN_COLUMNS}"]))
    )


@SETTINGS
@given(st.lists(TEXTS, max_size=6), st.booleans())
def test_match_keys_of_a_column_are_those_of_its_texts(texts: list[str], is_mobile: bool) -> None:
    assert match_keys(texts, is_mobile=is_mobile) == [match_key(text, is_mobile=is_mobile) for text in texts]


@SETTINGS
@given(st.lists(TEXTS, max_size=6), st.sampled_from(list(Form)))
def test_a_column_is_typed_as_its_cells_are(texts: list[str], form: Form) -> None:
    typing = Typing({"x": form})
    try:
        expected = [typing.typed("x", text) for text in texts]
    except DigitsLost:
        with pytest.raises(DigitsLost):
            typing.column("x", texts)
        return
    assert list(typing.column("x", texts)) == expected


CUT = Cut(1, 0, 2, {"name": 0, "mobile": 1}, {}, "mobile", [0], max_rows=100, chunk_rows=4, chunk_bytes=1024)
CSV = """客户名称,手机,备注
甲,13800138000,x
 ,,
乙,13800138001,y,z,
甲,13800138002,
丙,+86 13800138001,x
,13800138003,x
丁,13800138003,x
"""


def _split(folder: Path, text: str, cut: Cut = CUT) -> tuple[list[int], list[bytes]]:
    path = folder / "x.csv"
    path.write_text(text, encoding="utf-8")
    told = list(split(path, Layout("csv"), cut, folder))
    contents = [chunk_file(folder, one["chunk"]).read_bytes() for one in told]
    return [one["rows"] for one in told], contents


def test_a_file_is_cut_into_chunks_without_blank_rows_and_with_what_is_odd(tmp_path: Path) -> None:
    counts, contents = _split(tmp_path, CSV)

    rows = [row for content in contents for row in read_chunk(content, 0).each()]
    assert counts == [3, 3]
    assert [row.number for row in rows] == [2, 4, 5, 6, 7, 8]
    assert {row.number: row.beyond for row in rows if row.beyond} == {4: 1}
    assert {row.number: row.repeats for row in rows if row.repeats} == {5: ("name", 2), 6: ("mobile", 4)}
    assert list(rows[3].cells) == ["丙", "+86 13800138001", "x"]


def test_a_chunk_of_too_many_bytes_is_halved_until_it_fits(tmp_path: Path) -> None:
    lines = [f"公司{number},1380013800{number},{'字' * 100}\n" for number in range(8)]

    counts, contents = _split(tmp_path, "客户名称,手机,备注\n" + "".join(lines), replace(CUT, chunk_rows=8))

    assert counts == [2, 2, 2, 2]
    assert max(map(len, contents)) <= CUT.chunk_bytes
    assert [n for content in contents for n in read_chunk(content, 0).numbers] == list(range(2, 10))


FORMER = [
    {"row": 2, "cells": ["公司0", "13800000000", "其他", ""]},
    {"row": 3, "cells": ["公司0", "", "", ""], "repeats": ["name", 2]},
    {"row": 4, "cells": ["公司2", "1.38E+10", "", ""]},
    {"row": 5, "cells": ["公司3", "", "", ""], "errors": {"3": "#N/A"}},
    {"row": 6, "cells": ["公司4", "", "", ""], "beyond": 2},
]


def test_chunks_that_the_former_release_has_written_are_handled_as_those_of_today(running) -> None:
    sales = running.member
    job = sales.started(*(row["cells"] for row in FORMER))
    running.split(job)
    content = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in FORMER)
    running.service.runtime.object_store().put(Chunk.key_of(job["id"], 1), content)

    running.handle(job, running.chunks(job)[0])

    rows = sales.get(f"/imports/{job['id']}/rows").json["items"]
    codes = {row["row_number"]: [problem["code"] for problem in row["problems"]] for row in rows}
    assert codes == {2: [], 3: ["repeated_in_file"], 4: ["digits_lost"], 5: ["cell_error"], 6: ["too_many_cells"]}
    assert [texts["name"] for texts in running.customers.sent] == ["公司0"]
    assert rows[3]["cells"] == ["公司3", "", "", "#N/A"]
