"""Who the local platform says its user is."""

ACCOUNT = "urn:ivcap:account:00000000-0000-5000-8000-000000000001"
