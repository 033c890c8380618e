"""Which error means what; all of them are an `IvcapError`."""

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.exception import ConfigError, IvcapError, ResourceNotFound

with LocalIVCAP("study") as ivcap:
    try:
        ivcap.get_artifact("urn:ivcap:artifact:00000000-0000-0000-0000-000000000000")
    except ResourceNotFound as error:
        print(f"{error.operation}: HTTP {error.status_code}")

    try:
        ivcap.get_service_by_name("co2_tend")
    except IvcapError as error:
        print(f"{type(error).__name__}: {error}")

try:
    IVCAP("https://platform.example.org")
except ConfigError as error:
    print(error)
