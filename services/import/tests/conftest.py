"""The import service opened for tests, files to upload, and a customer service that writes rows down."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from openpyxl import Workbook
from werkzeug.test import TestResponse

from crm_import.service import SERVICE
from tests.support.organisation import Member
from tests.support.services import Opener, OpenService

HEADER = ("客户名称", "手机", "客户行业", "备注")


@pytest.fixture
def imports(services: Opener) -> Iterator[OpenService]:
    """The service with its REST API and database; nothing else runs."""
    with services.open(SERVICE) as opened:
        yield opened


def make_workbook(*rows: Sequence[Any]) -> bytes:
    """An .xlsx file with these rows on its first sheet."""
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.fixture
def workbook() -> Callable[..., bytes]:
    """`workbook(row, …)` → content of an .xlsx file."""
    return make_workbook


@dataclass(frozen=True)
class Importer:
    """A member at the import page. Each method is one request and returns the response."""

    service: OpenService
    member: Member

    def upload(self, content: bytes, name: str = "客户.xlsx", **headers: str) -> TestResponse:
        return self.service.client.post(
            "/api/v1/imports",
            data={"file": (io.BytesIO(content), name)},
            content_type="multipart/form-data",
            headers=self.service.headers(self.member, **headers),
        )

    def uploaded(self, *rows: Sequence[Any]) -> Any:
        """The view of a fresh import of these rows."""
        reply = self.upload(make_workbook(HEADER, *rows))
        assert reply.status_code == 201, reply.text
        return reply.json

    def patch(self, job: Any, **settings: Any) -> TestResponse:
        headers = self.service.headers(self.member, If_Match=f'"{job["version"]}"')
        return self.service.client.patch(f"/api/v1/imports/{job['id']}", json=settings, headers=headers)

    def post(self, job: Any, verb: str) -> TestResponse:
        return self.service.client.post(
            f"/api/v1/imports/{job['id']}:{verb}", headers=self.service.headers(self.member)
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.service.client.get(f"/api/v1{path}", headers=self.service.headers(self.member, **headers))


@pytest.fixture
def sales(imports: OpenService) -> Importer:
    """张三 of the east, who may import."""
    return Importer(imports, imports.organisation.sales)


@pytest.fixture
def importer() -> Callable[[OpenService, Member], Importer]:
    """Anybody at the import page of any opened import service."""
    return Importer
