"""This module refuses by name what this version does not have yet."""

from fastapi import APIRouter

from headrace.core.errors import NotAvailable

__all__ = ["router"]

router = APIRouter()


@router.get("/events", include_in_schema=False)
async def get_notices() -> None:
    """Refuse: one stream for all of a browser's runs comes with a later version."""
    raise NotAvailable("This version has no GET /events yet. GET /runs/{id}/events follows one run.", field="path")
