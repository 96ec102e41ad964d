"""The HTML of the pages under `/auth`: one calm card, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_MARK: Final = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 13h4v8H3zM10 8h4v13h-4zM17 3h4v18h-4z"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form."""

    name: str
    label: str
    type: str = "text"
    value: str = ""
    autocomplete: str = "off"
    hint: str = ""
    is_fixed: bool = False
    """Shown, and not to be changed here."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form that is sent to the page it stands on."""

    action: str
    button: str
    fields: Sequence[Field]
    hidden: tuple[tuple[str, str], ...] = ()


def page(
    title: str,
    text: str,
    *,
    form: Form | None = None,
    problem: str = "",
    other: tuple[str, str] | None = None,
    foot: tuple[str, str] | None = None,
) -> str:
    """A whole page; every value is escaped here.

    Args:
        title: the heading.
        text: one or two sentences below it.
        form: what is to be filled in.
        problem: what was wrong with what was sent.
        other: label and address of another way in.
        foot: label and address of a link at the end.
    """
    inner = [f"<h1>{escape(title)}</h1>", f"<p>{escape(text)}</p>" if text else ""]
    if problem:
        inner.append(f'<p class="problem" role="alert">{escape(problem)}</p>')
    if form:
        inner.append(_form(form))
    if other:
        between = '<div class="or">or</div>' if form else ""
        quiet = " quiet" if form else ""
        inner.append(f'{between}<a class="button{quiet}" href="{escape(other[1])}">{escape(other[0])}</a>')
    below = f'<p class="foot"><a href="{escape(foot[1])}">{escape(foot[0])}</a></p>' if foot else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Runs</title>"
        '<link rel="stylesheet" href="/auth/style.css"><link rel="icon" href="/auth/icon.png">'
        f'</head><body><main><p class="brand">{_MARK}Runs</p><div class="card">{"".join(inner)}</div>{below}'
        "</main></body></html>"
    )


def _form(form: Form) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in form.hidden
    )
    first = next((field.name for field in form.fields if not field.value and not field.is_fixed), "")
    fields = "".join(_field(field, has_focus=field.name == first) for field in form.fields)
    return (
        f'<form method="post" action="{escape(form.action)}">{hidden}{fields}'
        f'<button type="submit">{escape(form.button)}</button></form>'
    )


def _field(field: Field, *, has_focus: bool) -> str:
    name = escape(field.name)
    hint = f'<p class="hint" id="{name}-hint">{escape(field.hint)}</p>' if field.hint else ""
    described = f' aria-describedby="{name}-hint"' if field.hint else ""
    fixed = " readonly" if field.is_fixed else " required"
    focus = " autofocus" if has_focus else ""
    return (
        f'<label for="{name}">{escape(field.label)}</label>'
        f'<input id="{name}" name="{name}" type="{escape(field.type)}" value="{escape(field.value)}" '
        f'autocomplete="{escape(field.autocomplete)}" maxlength="256"{described}{fixed}{focus}>{hint}'
    )
