"""Who calls over HTTP, and as whom the platform is asked for them."""
