"""This module is the door to users and invitations, for admins."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from headrace.core.principal import Role
from headrace.doors import views
from headrace.doors.bodies import Body
from headrace.doors.house import house_of, principal_of
from headrace.store.records import Invitation, User

__all__ = ["UserView", "router", "user_view"]

router = APIRouter(tags=["access"])

INVITATION_MS = 7 * 86_400_000

Id = Annotated[int, Path(ge=1, lt=2**63)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Time = Annotated[int, Field(ge=0, lt=2**53)]


class UserBody(Body):
    """A user to be added, who gets in by an invitation or a token."""

    name: Name
    role: Role = "member"


class UserChanges(Body):
    """What is to change of a user."""

    role: Role | None = None
    disabled: bool | None = None


class InvitationBody(Body):
    """An invitation to be made. Without `name` whoever comes chooses one; `expires_at` is Unix ms, else in 7 days."""

    name: Name | None = None
    role: Role = "member"
    expires_at: Time | None = None


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user. Times are Unix milliseconds; `disabled_at` is since when the user is kept out."""

    id: int
    name: str
    role: Role
    created_at: int
    disabled_at: int | None
    has_passphrase: bool


class UserList(msgspec.Struct, frozen=True):
    """Users, the oldest first."""

    users: tuple[UserView, ...]


class InvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation: it lets in once, until `expires_at`."""

    id: int
    name: str | None
    role: Role
    created_at: int
    expires_at: int
    used_at: int | None


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that was made. Its link ends in `#signin=` and the secret, which is shown this once."""

    invitation: InvitationView
    secret: str


class InvitationList(msgspec.Struct, frozen=True):
    """Invitations, the oldest first."""

    invitations: tuple[InvitationView, ...]


@router.get("/users", responses=views.returns(UserList))
async def list_users(request: Request) -> Response:
    """List all users."""
    found = await house_of(request).access.users(principal_of(request, "admin"))
    return views.answer(UserList(tuple(map(user_view, found))))


@router.post("/users", status_code=201, responses=views.returns(UserView, status=201, text="The new user."))
async def add_user(request: Request, body: UserBody) -> Response:
    """Add a user."""
    user = await house_of(request).access.add_user(principal_of(request, "admin"), body.name, body.role)
    return views.answer(user_view(user), status=201)


@router.patch("/users/{user_id}", responses=views.returns(UserView))
async def change_user(request: Request, user_id: Id, body: UserChanges) -> Response:
    """Change a user's role, or keep a user out: what the user reads is cut off. One admin always stays."""
    access = house_of(request).access
    user = await access.change_user(principal_of(request, "admin"), user_id, role=body.role, disabled=body.disabled)
    return views.answer(user_view(user))


@router.get("/invitations", responses=views.returns(InvitationList))
async def list_invitations(request: Request) -> Response:
    """List all invitations, used ones too."""
    found = await house_of(request).access.invitations(principal_of(request, "admin"))
    return views.answer(InvitationList(tuple(map(_invitation_view, found))))


@router.post(
    "/invitations", status_code=201, responses=views.returns(NewInvitation, status=201, text="The new invitation.")
)
async def invite(request: Request, body: InvitationBody) -> Response:
    """Make an invitation."""
    house = house_of(request)
    expires_at = house.clock.now_ms() + INVITATION_MS if body.expires_at is None else body.expires_at
    made, secret = await house.access.invite(principal_of(request, "admin"), body.role, body.name, expires_at)
    view = NewInvitation(invitation=_invitation_view(made), secret=secret)
    return views.answer(view, status=201, headers={"cache-control": "no-store"})


def user_view(user: User) -> UserView:
    """Return what is shown of a user."""
    return UserView(
        id=user.id,
        name=user.name,
        role=user.role,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
        has_passphrase=user.has_passphrase,
    )


def _invitation_view(invitation: Invitation) -> InvitationView:
    return InvitationView(
        id=invitation.id,
        name=invitation.name,
        role=invitation.role,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        used_at=invitation.used_at,
    )
