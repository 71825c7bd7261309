"""What the Hub's clients can ask that is not here: each refused in words that say what to do.

A repository that is no model is answered like one that does not exist, so that a client says so in
its own words; an act upon one, and a feature this server does not have, is 501.
Source: huggingface_hub 0.36 to 2.4, `hf_api.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound as NoSuchAddress
from werkzeug.exceptions import NotImplemented as NotOffered

from gatekeeper.domain.errors import NotFound
from gatekeeper.web.hub.routes import MODEL
from gatekeeper.web.identity import context_for

blueprint = Blueprint("hub_unspoken", __name__)

_ANY = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ONLY_MODELS = "only models live here, no datasets, spaces or buckets"
# First words of addresses below /api, and what to say to whoever asks there.
_FEATURES: Mapping[str, str] = {
    "buckets": _ONLY_MODELS,
    "datasets": _ONLY_MODELS,
    "kernels": _ONLY_MODELS,
    "spaces": _ONLY_MODELS,
    "collections": "there are no collections here: releases gather models, see the catalogue",
    "daily_papers": "there are no papers here",
    "papers": "there are no papers here",
    "inference-catalog": "nothing is run here: fetch the model and run it",
    "inference-proxy": "nothing is run here: fetch the model and run it",
    "jobs": "nothing is run here: fetch the model and run it",
    "scheduled-jobs": "nothing is run here: fetch the model and run it",
    "models-tags-by-type": "tags are listed nowhere: list models with `filter`",
    "datasets-tags-by-type": _ONLY_MODELS,
    "notifications": "there are no notifications here: what concerns you is mailed",
    "organizations": "organisations show no members here; who decides stands on a model's page",
    "users": "people have no public page here",
    "settings": "there are no webhooks here, and settings are changed on the account page",
}
# Last words of addresses below a model.
_OF_MODELS: Mapping[str, str] = {
    "duplicate": "models are not copied here: download one and upload it under another name",
    "discussions": "there are no discussions here: write to the contact on the release's page",
    "like": "nothing is liked here",
    "likers": "nothing is liked here",
    "lfs-files": "stored files are not listed apart: see the tree of a revision",
    "resource-group": "there are no resource groups here: roles are given for a namespace",
    "safetensors-metadata": "shards are read one by one here: call get_safetensors_metadata",
    "scan": "files are not scanned here",
}


@blueprint.route("/<any(datasets, spaces):kind>/<rest:path>", methods=("GET", "HEAD"))
@blueprint.route("/api/<any(datasets, spaces, kernels, buckets):kind>/<rest:path>", methods=_ANY)
def no_such_kind(**_: str) -> Response:
    """Answer for a repository that is no model: reading, as one that is missing; else 501."""
    context_for()
    if request.method in {"GET", "HEAD"}:
        raise NotFound("no such repository")
    raise NotOffered(_ONLY_MODELS)


@blueprint.route(f"{MODEL}/<any({', '.join(map(repr, _OF_MODELS))}):what>", methods=_ANY)
@blueprint.route(
    f"{MODEL}/<any({', '.join(map(repr, _OF_MODELS))}):what>/<rest:path>", methods=_ANY
)
def no_such_part(what: str, **_: str) -> Response:
    """Refuse what models do not have here, whether or not there is such a model."""
    context_for()
    raise NotOffered(_OF_MODELS[what])


@blueprint.route(f"/api/<any({', '.join(map(repr, _FEATURES))}):what>", methods=_ANY)
@blueprint.route(f"/api/<any({', '.join(map(repr, _FEATURES))}):what>/<rest:path>", methods=_ANY)
def no_such_feature(what: str, **_: str) -> Response:
    """Refuse what this server does not do."""
    context_for()
    raise NotOffered(_FEATURES[what])


@blueprint.route("/api/<segment:path>", methods=_ANY)
@blueprint.route("/api/models/<rest:path>", methods=_ANY)
@blueprint.route("/api/repos/<rest:path>", methods=_ANY)
def not_spoken(**_: str) -> Response:
    """Refuse every other address of the protocol."""
    raise NoSuchAddress("this server does not speak this part of the protocol")


@blueprint.route("/<segment:namespace>/<segment:name>/info/<rest:path>", methods=_ANY)
@blueprint.route("/<segment:namespace>/<segment:name>/git-upload-pack", methods=_ANY)
@blueprint.route("/<segment:namespace>/<segment:name>/git-receive-pack", methods=_ANY)
def no_git(**_: str) -> Response:
    """Refuse git, and say what to use instead."""
    raise NoSuchAddress("git is not spoken here: use `hf download` and `hf upload`")
