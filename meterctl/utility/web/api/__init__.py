"""The API of the desk: a resource for each entity, actions as POST (UTILITY 7)."""

from __future__ import annotations

from fastapi import APIRouter


def router() -> APIRouter:
    """Return the routes of the API."""
    return APIRouter()
