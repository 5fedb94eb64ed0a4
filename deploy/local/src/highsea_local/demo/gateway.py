"""A person's way to Highsea: HTTP through the gateway, nothing else."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx


class Refused(Exception):
    """The gateway answered with a problem; `status` and `problem` (RFC 9457) say which."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', '')} {problem.get('errors', '')}")
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The stable code."""
        return str(self.problem.get("code", ""))


class Person:
    """Somebody signed in."""

    def __init__(self, gateway_url: str, login: str, password: str, language: str = "zh-CN") -> None:
        """Logs in. Raises Refused or httpx.HTTPError."""
        self._http = httpx.Client(
            base_url=f"{gateway_url}/api/v1", trust_env=False, timeout=30, headers={"Accept-Language": language}
        )
        session = self.post("/auth/login", {"login": login, "password": password})
        self.member: dict[str, Any] = session["member"]
        self._http.headers["Authorization"] = f"Bearer {session['access_token']}"

    @staticmethod
    def set_password(gateway_url: str, link: str, new_password: str) -> None:
        """What a new member does first with the link they got. Raises Refused."""
        body = {"token": link.partition("#")[2], "new_password": new_password}
        _answer(httpx.post(f"{gateway_url}/api/v1/auth/password:redeem", json=body, trust_env=False, timeout=30))

    @property
    def name(self) -> str:
        """The display name."""
        return str(self.member["name"])

    @property
    def id(self) -> str:
        """The member id."""
        return str(self.member["id"])

    def get(self, path: str, **query: Any) -> Any:
        """GET; the JSON answer. Raises Refused."""
        return _answer(self._http.get(path, params=query))

    def download(self, path: str) -> bytes:
        """GET; the bytes. Raises Refused."""
        response = self._http.get(path)
        if response.is_error:
            _answer(response)
        return response.content

    def post(self, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> Any:
        """POST with the Idempotency-Key given, else one of its own. Raises Refused."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return _answer(self._http.post(path, json=body or {}, headers=headers))

    def put(self, path: str) -> Any:
        """PUT without a body. Raises Refused."""
        return _answer(self._http.put(path))

    def patch(self, path: str, body: Mapping[str, Any], version: int) -> Any:
        """PATCH of the given version. Raises Refused."""
        return _answer(self._http.patch(path, json=body, headers={"If-Match": f'"{version}"'}))

    def upload(self, path: str, file_name: str, content: bytes) -> Any:
        """POST a file. Raises Refused."""
        return _answer(self._http.post(path, files={"file": (file_name, content)}))


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """The first truthy result of `what`; refusals and lost connections are tried again. Raises TimeoutError."""
    end = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except (Refused, httpx.HTTPError) as error:
            last = error
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds:.0f} s: {last}")


def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        try:
            problem = response.json()
        except ValueError:
            problem = {"code": "no_problem_body", "detail": response.text[:200]}
        raise Refused(response.status_code, problem)
    return response.json() if response.content else None
