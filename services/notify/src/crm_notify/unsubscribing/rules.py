"""The page behind the link of a mailing, without a script: in Chinese and English, since nobody is logged in."""

from html import escape
from string import Template

# Per client address: a mail system that looks at links, and then a person.
BUDGET = "60/15minutes"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
_PAGE = Template("""<!DOCTYPE html>
<html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title>
<style>body{font:16px/1.6 sans-serif;max-width:30em;margin:4em auto;padding:0 1em}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><h1>$title</h1>$content</body></html>
""")


def question(company: str) -> str:
    """Whether to unsubscribe; one button says so."""
    content = (
        f"<p>不再接收{escape(company)}的群发邮件？</p><p>No more mailings from {escape(company)}?</p>"
        '<form method="post"><button>退订 / Unsubscribe</button></form>'
    )
    return _PAGE.substitute(title="退订 / Unsubscribe", content=content)


def done(company: str) -> str:
    """That it is done."""
    content = (
        f"<p>您将不再收到{escape(company)}的群发邮件。</p><p>You will get no more mailings from {escape(company)}.</p>"
    )
    return _PAGE.substitute(title="已退订 / Unsubscribed", content=content)


def unknown() -> str:
    """That the link leads nowhere."""
    content = "<p>链接无效或已过期。</p><p>This link is wrong or too old.</p>"
    return _PAGE.substitute(title="404", content=content)
