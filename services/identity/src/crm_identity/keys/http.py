"""REST of signing keys: the public ones."""

import flask

from chassis.http.api import JSON, Access, Api
from chassis.http.call import Call
from crm_identity.keys import queries

api = Api("keys")


@api.route("GET", "/auth/jwks", access=Access.ANYONE, summary="Public keys that verify access tokens (RFC 7517)")
def read_jwks(call: Call[None, None]) -> flask.Response:
    with call.runtime.database.reading() as session:
        return flask.Response(queries.jwks(session), content_type=JSON)
