"""The desk by HTTP: an API under /api/v1, and pages for people. See `app.make_app`."""
