"""The IVCAP SDK: services, jobs, artifacts and aspects, on a deployment or in a local directory."""
