"""A sender's message as JSON, read strictly: what could be taken in two ways is refused.

Refused: more than `BODY_BYTES_MAX`, other text than UTF-8, a key given twice (readers keep the
first or the last), NaN and Infinity (a plot without a value), nesting beyond `DEPTH_MAX`, and a
`{{placeholder}}` that the sender's side did not replace. Numbers become Decimal, never float.
What counts is the content, not the Content-Type.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from argos_common.domain.errors import BadInput

BODY_BYTES_MAX = 16 * 1024
DEPTH_MAX = 8
NAME_MAX = 60

Json = None | bool | str | Decimal | list["Json"] | dict[str, "Json"]

_PLACEHOLDER = re.compile(r"\{\{[^{}\r\n]{0,100}\}\}")
_LAST_KEY = re.compile(r'"([^"\\]{1,60})"\s*:\s*[^:]*\Z')
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_object(body: bytes) -> dict[str, Json]:
    """The JSON object in a message. Raises BadInput with the field and the fix."""
    if len(body) > BODY_BYTES_MAX:
        raise BadInput(
            f"the message is larger than {BODY_BYTES_MAX} bytes: send less", code="too_large"
        )
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("the message is not UTF-8 text: send it as such", code="not_text") from None
    _no_placeholder(text)
    value = _parse(text)
    if not isinstance(value, dict):
        raise BadInput(
            'the message must be a JSON object, such as {"action": "buy"}', code="malformed"
        )
    _check(value, "", DEPTH_MAX)
    return value


def shown(name: str) -> str:
    """A sender's name for a field, fit to stand in a sentence."""
    return "".join(each if each.isprintable() else "?" for each in name[:NAME_MAX])


def _parse(text: str) -> Json:
    if not text.strip():
        raise BadInput("the message is empty: write a JSON object into it", code="malformed")
    try:
        value: Json = json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except BadInput:
        raise
    except json.JSONDecodeError as error:
        raise BadInput(
            f"the message is not JSON: {error.msg.lower()} at line {error.lineno} column"
            f" {error.colno}",
            code="malformed",
        ) from None
    except RecursionError:
        raise _too_deep() from None
    return value


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{text[:20]} is not a usable number", code="bad_value") from None


def _no_constant(text: str) -> NoReturn:
    raise BadInput(
        f"the message holds {text}: a value was missing when the alert fired; leave the field out"
        " or send a number",
        code="not_a_number",
    )


def _no_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            name = shown(key)
            raise BadInput(f"{name} is given twice: leave it once", name, "duplicate_key")
        found[key] = value
    return found


def _no_placeholder(text: str) -> None:
    found = _PLACEHOLDER.search(text)
    if found:
        key = _LAST_KEY.search(text[: found.start()])
        field = shown(key.group(1)) if key else ""
        raise BadInput(
            f"{field or 'the message'} holds {found.group()}: the placeholder was not substituted;"
            " use it in the kind of alert that knows it",
            field,
            "placeholder",
        )


def _check(value: Json, field: str, depth: int) -> None:
    if depth < 0:
        raise _too_deep()
    match value:
        case str():
            if "\0" in value or _SURROGATE.search(value):
                raise BadInput(
                    f"{field or 'the message'} holds a character that cannot be stored: remove it",
                    field,
                    "bad_value",
                )
        case dict():
            for key, item in value.items():
                _check(key, "a field's name", depth)
                _check(item, shown(key), depth - 1)
        case list():
            for item in value:
                _check(item, field, depth - 1)
        case _:
            pass


def _too_deep() -> BadInput:
    return BadInput(
        f"the message is nested more than {DEPTH_MAX} levels: flatten it", code="too_deep"
    )
