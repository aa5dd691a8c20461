"""This module is the door to tokens, with which programs say whose they are."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from headrace.core.principal import Scope
from headrace.doors import views
from headrace.doors.bodies import Body
from headrace.doors.house import house_of, principal_of
from headrace.store.records import Token

__all__ = ["router"]

router = APIRouter(tags=["access"])

Id = Annotated[int, Path(ge=1, lt=2**63)]


class TokenBody(Body):
    """A token to be made. Without `scopes` it may do all that its user may; without `expires_at` (Unix ms) it stays."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=3)] | None = None
    expires_at: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token. Times are Unix milliseconds; `hint` is how it begins."""

    id: int
    user_id: int
    name: str
    hint: str
    scopes: tuple[Scope, ...] | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was made, with its secret: `secret` is shown this once."""

    token: TokenView
    secret: str


class TokenList(msgspec.Struct, frozen=True):
    """Tokens, the oldest first."""

    tokens: tuple[TokenView, ...]


@router.get("/tokens", responses=views.returns(TokenList))
async def list_tokens(request: Request) -> Response:
    """List the caller's tokens, revoked ones too; an admin sees those of all users."""
    found = await house_of(request).access.tokens(principal_of(request, None))
    return views.answer(TokenList(tuple(map(_view, found))))


@router.post("/tokens", status_code=201, responses=views.returns(NewToken, status=201, text="The new token."))
async def make_token(request: Request, body: TokenBody) -> Response:
    """Make a token for the caller. One that is kept to some scopes makes none that is good for more."""
    scopes = frozenset(body.scopes) if body.scopes is not None else None
    token, secret = await house_of(request).access.make_token(
        principal_of(request, None), body.name, scopes, body.expires_at
    )
    return views.answer(NewToken(token=_view(token), secret=secret), status=201, headers={"cache-control": "no-store"})


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(request: Request, token_id: Id) -> Response:
    """Revoke a token: what is read with it is cut off. An admin may revoke anybody's."""
    await house_of(request).access.revoke_token(principal_of(request, None), token_id)
    return Response(status_code=204)


def _view(token: Token) -> TokenView:
    return TokenView(
        id=token.id,
        user_id=token.owner_id,
        name=token.name,
        hint=token.hint,
        scopes=token.scopes,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        revoked_at=token.revoked_at,
    )
