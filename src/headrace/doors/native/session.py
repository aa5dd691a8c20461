"""This module is the door through which a browser signs in and out, and learns who it is."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from headrace.access.access import SESSION_MS
from headrace.core.errors import Conflict, Forbidden
from headrace.core.principal import Principal, Role, Scope
from headrace.doors import views
from headrace.doors.bodies import Body
from headrace.doors.gate import COOKIE
from headrace.doors.house import house_of, principal_of

__all__ = ["router"]

router = APIRouter(tags=["access"])

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Passphrase = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class SignIn(Body):
    """What is shown: `link` or `token`, or `name` and `passphrase`. With a link `name` is the new user's."""

    link: Secret | None = None
    token: Secret | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    passphrase: Passphrase | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "SignIn":
        given = [one for one in (self.link, self.token, self.passphrase) if one is not None]
        if len(given) != 1 or (self.passphrase is not None and self.name is None):
            raise PydanticCustomError("one_way", "Give one of `link`, `token`, or `name` with `passphrase`")
        return self


class PassphraseBody(Body):
    """The new passphrase, null for none."""

    passphrase: Passphrase | None


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls. `access` is whether anybody has to say so; `scopes` what the token is kept to, null for nothing."""

    access: bool
    user_id: int
    name: str
    role: Role
    scopes: tuple[Scope, ...] | None


@router.get("/session", responses=views.returns(SessionView))
async def get_session(request: Request) -> Response:
    """Say who calls; 401 where that is nobody."""
    return views.answer(_view(request, principal_of_any(request)))


@router.post("/session", responses=views.returns(SessionView))
async def sign_in(request: Request, body: SignIn) -> Response:
    """Exchange a link, a token, or name and passphrase for a cookie."""
    access = house_of(request).access
    if not access.on:
        raise Conflict("Access control is off: nobody signs in here.", code="access_off")
    _check_page(request)
    if body.passphrase is not None and body.name is not None:
        secret, principal = await access.sign_in_passphrase(body.name, body.passphrase)
    else:
        secret, principal = await access.sign_in(body.link or body.token or "", name=body.name)
    response = views.answer(_view(request, principal), headers={"cache-control": "no-store"})
    _set_cookie(request, response, secret, SESSION_MS // 1000)
    return response


@router.delete("/session", status_code=204)
async def sign_out(request: Request) -> Response:
    """Sign out: the cookie is good for nothing any more."""
    await house_of(request).access.sign_out(principal_of_any(request))
    response = Response(status_code=204)
    _set_cookie(request, response, "", 0)
    return response


@router.put("/session/passphrase", status_code=204)
async def set_passphrase(request: Request, body: PassphraseBody) -> Response:
    """Set or remove the caller's passphrase; the user's other sessions end."""
    await house_of(request).access.set_passphrase(principal_of_any(request), body.passphrase)
    return Response(status_code=204)


def principal_of_any(request: Request) -> Principal:
    """Return who calls, whatever the token is kept to."""
    return principal_of(request, None)


def _check_page(request: Request) -> None:
    """Refuse a form of another page: a browser says where it comes from, and the gate has judged that."""
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise Forbidden("A page from elsewhere may not sign a browser in.", code="origin_not_allowed")


def _view(request: Request, principal: Principal) -> SessionView:
    return SessionView(
        access=house_of(request).access.on,
        user_id=principal.user_id,
        name=principal.name,
        role=principal.role,
        scopes=tuple(sorted(principal.scopes)) if principal.scopes is not None else None,
    )


def _set_cookie(request: Request, response: Response, value: str, max_age_s: int) -> None:
    response.set_cookie(
        COOKIE,
        value,
        max_age=max_age_s,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )
