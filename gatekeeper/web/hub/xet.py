"""Routes of the Xet upload: a token, then xorbs, then the shard that says what files they make.

Clients from 1.20 on, with hf_xet, send large files so and in no other way. The token is not the
access token and ends with it; its address is another one each time, so that what a client remembers
of an earlier upload never stands for bytes here. Nothing is downloaded this way.
Source: hub-docs docs/xet/api.md, auth.md; hf-wire.md 4.5.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound as NotKept

from gatekeeper.domain.errors import BadCredentials
from gatekeeper.domain.people import ANONYMOUS, Context
from gatekeeper.domain.xet import read_shard
from gatekeeper.services.uploads import xet
from gatekeeper.services.uploads.xet import Place
from gatekeeper.web import bodies
from gatekeeper.web.hub import parse
from gatekeeper.web.hub.routes import MODEL
from gatekeeper.web.identity import bearer_context
from gatekeeper.web.wiring import house, new_context, wiring

blueprint = Blueprint("hub_xet", __name__)

SESSION = "/api/xet/<segment:session>"


@blueprint.get(f"{MODEL}/xet-write-token/<segment:revision>")
def write_token(namespace: str, name: str, revision: str) -> Response:
    """Begin a session: say where xorbs go, and with what token."""
    model = parse.repository(namespace, name)
    parse.revision(revision)
    begun = xet.begin(house(), bearer_context(), model)
    address, ends = f"{parse.base()}/api/xet/{begun.session}", int(begun.expires_at.timestamp())
    response = jsonify({"accessToken": begun.ticket, "exp": ends, "casUrl": address})
    # The clients before 1.20 read the headers, the later ones the body.
    response.headers["X-Xet-Access-Token"] = begun.ticket
    response.headers["X-Xet-Token-Expiration"] = str(ends)
    response.headers["X-Xet-Cas-Url"] = address
    return response


@blueprint.get(f"{MODEL}/xet-read-token/<segment:revision>")
def read_token(**_: str) -> Response:
    """Refuse: files are downloaded as they are."""
    raise NotKept("nothing is downloaded by Xet here: files come whole, from /resolve/")


@blueprint.post(f"{SESSION}/v1/xorbs/default/<segment:xorb>")
def send_xorb(session: str, xorb: str) -> Response:
    """Take a xorb."""
    place = _sender(session)[0]
    with bodies.incoming() as body:
        is_new = xet.receive(house(), lambda: _who(session), place, xorb, body)
    return jsonify({"was_inserted": is_new})


@blueprint.post(f"{SESSION}/v1/shards")
def send_shard(session: str) -> Response:
    """Put the files of a shard together; the answer waits for them."""
    place, ctx = _sender(session)
    xet.check(house(), ctx, place)
    who = str(ctx.actor.person_id)
    with bodies.incoming_shard(who) as shard, wiring().assembling.taken(who):
        recipes = read_shard(shard.read())
        xet.put_together(house(), lambda: _who(session), place, recipes)
    return jsonify({"result": 1})


@blueprint.route("/api/xet/<rest:path>", methods=("GET", "POST", "PUT", "PATCH", "DELETE"))
def not_kept(path: str) -> Response:  # noqa: ARG001  whatever it is
    """Answer for chunks of other uploads, grants and shards of version 2: the clients go on."""
    raise NotKept("there is nothing of this kind here: send xorbs and version 1 shards")


@blueprint.post("/v1/telemetry")
def telemetry() -> Response:
    """Take the figures that hf_xet sends to the root of the host, and keep nothing of them."""
    return jsonify({})


def _sender(session: str) -> tuple[Place, Context]:
    sent = request.authorization
    if sent is None or sent.type != "bearer" or not sent.token:
        raise BadCredentials("a token of this upload is needed")
    place, actor = xet.sender(house(), new_context(ANONYMOUS), sent.token, session)
    return place, new_context(actor)


def _who(session: str) -> Context:
    return _sender(session)[1]
