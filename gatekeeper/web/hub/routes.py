"""Routes of the Hub dialect (placeholder)."""

from flask import Blueprint

blueprint = Blueprint("hub", __name__)
