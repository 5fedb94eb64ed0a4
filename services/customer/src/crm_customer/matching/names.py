"""What a company's name says: its core, the region, the branch. Pure functions."""

import re
from dataclasses import dataclass

from crm_customer.matching.places import large_place_in, place, without_region
from crm_customer.matching.words import folded

_SHORTEST_BRAND = 2

_BRACKETED = re.compile(r"[(\[{<【〔〈《「『〖](.*?)[)\]}>】〕〉》」』〗]")
_ANOTHER_NAME = re.compile(r"(?:原名?|曾用名|简称|又名|别名|现名|品牌):?(.+)")
_NO_NAME = re.compile("中国|大陆|china|cn|prc|筹|筹备|有限合伙|(?:特殊)?普通合伙|个人独资|总部|总店|总行|总公司")
_SEPARATORS = re.compile(r"[\W_]+")
_LATIN = re.compile(r"[a-z]")
_TOKENS = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
_LATIN_FORM = re.compile(
    "(?:co)?ltd|co|limited|inc|incorporated|corp|corporation|company|ll[cp]|plc|gmbh|ag|sa|pte|pty|bhd|sdn|bv|nv|srl|lp|kk|the|and"
)
_FORM = re.compile(
    r"(?:(?:股份|有限|责任|无限|总|一人|独资|国有|合作)*公司|有限责任|股份有限|有限|股份"
    r"|(?:特殊)?普通合伙|有限合伙|合伙企业|个体工商户|个人独资(?:企业)?|株式会社)+$"
)
_OF_FORMS = "股份有限责任无总一人独资国合作公司特殊普通伙企业个体工商户株式会社"
_BRANCH = re.compile(
    "(?:分(?:公司|店|行|部|校|院|所|厂|社|中心|理处)|支行|(?:办事|代表|联络)处|营业[部厅所]|(?:项目|事业)部|(?:直营|加盟)店)$"
)
_PART = re.compile(r"(?:[店部处厂站库所组]|校区|院区|中心|基地|车间)$|^第.")
_ORDINAL = re.compile(r"第?[一二三四五六七八九十百0-9]+$")


@dataclass(frozen=True, slots=True)
class Name:
    """What a name says. `others`: cores of further names given in brackets."""

    core: str
    region: str
    branch: str
    others: tuple[str, ...]


def read(name: str) -> Name:
    """What `name` says. Only a name without any letter or digit has no core."""
    text, region, branch, others = _without_brackets(folded(name))
    tokens, text = _scripts(text)
    text, part = _head(text)
    latin, latin_region = _latin_core(tokens)
    text, own_region = without_region(_without_form(text) or text, latin)
    core = latin + text or _SEPARATORS.sub("", folded(name)) or "".join(filter(str.isalnum, name))
    return Name(
        core, region or own_region or latin_region, (branch or part).removeprefix("第").replace("市", ""), others
    )


def _without_brackets(text: str) -> tuple[str, str, str, tuple[str, ...]]:
    """The text without what brackets say about it; the region, branch and other names said there."""
    if not _BRACKETED.search(text):
        return text, "", "", ()
    region = branch = ""
    others: list[str] = []
    kept, end = "", 0
    for match in _BRACKETED.finditer(text):
        kept += text[end : match.start()]
        end = match.end()
        said, is_last = _SEPARATORS.sub("", match[1]), not _SEPARATORS.sub("", text[end:])
        another = _ANOTHER_NAME.fullmatch(match[1].strip())
        if place(said):
            region = region or place(said)
        elif another:
            others.append(read(another[1]).core)
        elif _NO_NAME.fullmatch(said):
            continue
        elif _BRANCH.search(said) or (is_last and _PART.search(said)):
            branch = branch or said
        elif not is_last or said == "集团":
            kept += f" {match[1]} "
        elif is_last and (_FORM.search(said) or _LATIN.match(said)):
            others.append(read(match[1]).core)
    kept += text[end:]
    return (kept if _SEPARATORS.sub("", kept) else text), region, branch, tuple(others)


def _scripts(text: str) -> tuple[list[str], str]:
    """Words in Latin letters, and all the rest in one."""
    if not _LATIN.search(text):
        return [], _SEPARATORS.sub("", text)
    tokens: list[str] = _TOKENS.findall(text)
    if all(token.isascii() for token in tokens):
        return tokens, ""
    latin = [token for token in tokens if _LATIN.search(token)]
    return latin, "".join(token for token in tokens if not _LATIN.search(token))


def _latin_core(tokens: list[str]) -> tuple[str, str]:
    """Latin words without legal forms and place, joined; and the region."""
    if not tokens:
        return "", ""
    words, region = [token for token in tokens if not _LATIN_FORM.fullmatch(token)] or tokens, ""
    for size in (2, 1):
        for first, rest in ((words[:size], words[size:]), (words[-size:], words[:-size])):
            code = place("".join(first))
            if rest and code and not region:
                words, region = rest, code
    return "".join(words), region


def _without_form(text: str) -> str:
    """A name without its legal form, looked for where nothing follows but what forms are made of."""
    form = _FORM.search(text, len(text.rstrip(_OF_FORMS)))
    return text[: form.start()] if form else text


def _head(text: str) -> tuple[str, str]:
    """A company's name and the part of it that is meant: 华夏公司上海分公司 -> 华夏公司, 上海分公司."""
    if text.endswith("公司") and not text.endswith("分公司"):
        return text, ""
    match = _BRANCH.search(text)
    end = text.rfind("公司", 0, match.start() if match else len(text)) + 2
    if _SHORTEST_BRAND < end < len(text):
        if match or _PART.search(text[end:]):
            return text[:end], text[end:]
        return _without_form(text[:end]) + text[end:], ""
    if not match or match.start() < _SHORTEST_BRAND:
        return text, ""
    head = text[: match.start()]
    ordinal = _ORDINAL.search(head)
    cut = min(large_place_in(head), ordinal.start() if ordinal else len(head))
    return (text[:cut], text[cut:]) if cut >= _SHORTEST_BRAND else (text, "")
