"""How a call is put up: its function's signature says what it takes and answers, and is all of it.

`ctx` is who calls, then the parts of the address; `asked` is a Query, `sent` a Body; what is
returned is an Answer, or for a POST a Done that shows one. The same signature is read by the
document, so neither can say what the other does not do. Not here: the document (document).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from flask import Blueprint, Response

from gatekeeper.domain.people import Scope
from gatekeeper.web.api import exchange
from gatekeeper.web.api.once import Done, once
from gatekeeper.web.api.wire.bodies import NoBody
from gatekeeper.web.api.wire.queries import NoQuery
from gatekeeper.web.api.wire.shapes import Answer, Body, Query
from gatekeeper.web.identity import bearer_now

F = TypeVar("F", bound=Callable[..., Any])
Repeat = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Call:
    """Where a call is, what it takes and what it answers.

    `scope` is the narrowest a token may have, None where anybody may call; `statuses` are of what
    succeeds, the usual one first; `fails` are those of problems that not every call has. A raw call
    takes bytes in the place of JSON.
    """

    method: str
    rule: str
    act: Callable[..., Any]
    scope: Scope | None
    statuses: tuple[int, ...]
    fails: tuple[int, ...]
    asks: type[Query]
    sends: type[Body] | None
    tells: type[Answer]
    is_raw: bool = False


class Noun:
    """The calls about one thing: a blueprint, and a tag of the document."""

    def __init__(self, name: str, about: str) -> None:
        self.name = name
        self.about = about
        self.blueprint = Blueprint(name, __name__)
        self.calls: dict[str, Call] = {}

    def get(
        self, rule: str, *, scope: Scope | None = Scope.READ, fails: tuple[int, ...] = ()
    ) -> Callable[[F], F]:
        """Put up a call that reads."""
        return self._put_up("GET", rule, scope, (200,), fails)

    def patch(self, rule: str, *, scope: Scope, fails: tuple[int, ...] = ()) -> Callable[[F], F]:
        """Put up a call that changes a part, and may be repeated as it is."""
        return self._put_up("PATCH", rule, scope, (200,), fails)

    def put(self, rule: str, *, scope: Scope, fails: tuple[int, ...] = ()) -> Callable[[F], F]:
        """Put up a call that takes raw bytes, and may be repeated as it is.

        Its function is given how to ask who calls, in the place of who does: the bytes may take
        long, and it asks again after them (identity.bearer_now).
        """
        return self._put_up("PUT", rule, scope, (200,), fails)

    def delete(self, rule: str, *, scope: Scope, fails: tuple[int, ...] = ()) -> Callable[[F], F]:
        """Put up a call that takes something away; a body would mean nothing."""
        return self._put_up("DELETE", rule, scope, (200,), fails)

    def post(
        self,
        rule: str,
        *,
        scope: Scope,
        statuses: tuple[int, ...] = (200,),
        fails: tuple[int, ...] = (),
        repeat: Repeat | None = None,
    ) -> Callable[[F], F]:
        """Put up an act; `repeat` writes its answer anew from what was kept of the first."""
        return self._put_up("POST", rule, scope, statuses, fails, repeat)

    def _put_up(
        self,
        method: str,
        rule: str,
        scope: Scope | None,
        statuses: tuple[int, ...],
        fails: tuple[int, ...],
        repeat: Repeat | None = None,
    ) -> Callable[[F], F]:
        def put_up(act: F) -> F:
            call = _read(method, rule, act, scope, statuses, fails)
            name = act.__name__
            view = _act_once(call, repeat) if method == "POST" else _answer(call)
            view = _take(call) if call.is_raw else view
            self.blueprint.add_url_rule(rule, name, view, methods=[method])
            self.calls[f"{self.name}.{name}"] = call
            return act

        return put_up


def _read(
    method: str,
    rule: str,
    act: Callable[..., Any],
    scope: Scope | None,
    statuses: tuple[int, ...],
    fails: tuple[int, ...],
) -> Call:
    hints = get_type_hints(act)
    told = hints["return"]
    return Call(
        method=method,
        rule=rule,
        act=act,
        scope=scope,
        statuses=statuses,
        fails=fails,
        asks=hints.get("asked", NoQuery),
        sends=hints.get("sent", NoBody) if method in {"POST", "PATCH"} else None,
        tells=get_args(told)[0] if get_origin(told) is Done else told,
        is_raw=method == "PUT",
    )


def _answer(call: Call) -> Callable[..., Response]:
    def view(**address: str) -> Response:
        ctx = exchange.caller() if call.scope is None else exchange.person_calling()
        return exchange.say(call.act(ctx, **address, **_came_in(call)))

    return view


def _take(call: Call) -> Callable[..., Response]:
    def view(**address: str) -> Response:
        return exchange.say(call.act(bearer_now, **address, **_came_in(call)))

    return view


def _act_once(call: Call, repeat: Repeat | None) -> Callable[..., Response]:
    def view(**address: str) -> Response:
        ctx = exchange.person_calling()
        return once(
            ctx, lambda: call.act(ctx, **address, **_came_in(call)), call.statuses[0], repeat
        )

    return view


def _came_in(call: Call) -> Mapping[str, Any]:
    """Read query and body, even of a call that takes none: what is sent in vain is refused."""
    asked = exchange.query(call.asks)
    found: dict[str, Any] = {} if call.asks is NoQuery else {"asked": asked}
    if call.sends is not None:
        sent = exchange.body(call.sends)
        found |= {} if call.sends is NoBody else {"sent": sent}
    return found
